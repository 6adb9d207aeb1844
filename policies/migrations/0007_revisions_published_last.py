from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("policies", "0006_policies_open_by_default_are_known")]

    operations = [
        migrations.AddIndex(
            "policyrevision",
            models.Index(fields=["organization", "-published_at"], name="revisions_published_last"),
        ),
    ]
