from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("policies", "0002_tests_beside_a_policy")]

    operations = [
        migrations.AddField(
            model_name="policy",
            name="last_readable",
            field=models.TextField(
                blank=True,
                default="",
                help_text="The last draft that was a JSON object, while the draft is none.",
            ),
            preserve_default=False,
        )
    ]
