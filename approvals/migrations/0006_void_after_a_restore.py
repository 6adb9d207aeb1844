from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("approvals", "0005_what_was_answered_is_turned_by_an_index")]

    operations = [
        migrations.AlterField(
            model_name="approval",
            name="because",
            field=models.CharField(
                blank=True,
                choices=[
                    ("rules", "the policy changed"),
                    ("tool", "the tool changed"),
                    ("grant", "the grant was revoked"),
                    ("token", "the grant’s token was changed"),
                    ("server", "the server was retired"),
                    ("restored", "the database was restored from a backup"),
                ],
                max_length=8,
            ),
        ),
    ]
