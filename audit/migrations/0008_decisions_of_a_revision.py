from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("audit", "0007_names_in_the_log")]

    operations = [
        migrations.AddIndex(
            "decisionrecord",
            models.Index(
                fields=["organization", "policy_revision_id", "-position"], name="decisions_of_a_revision"
            ),
        ),
    ]
