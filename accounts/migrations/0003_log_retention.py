from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_framework_privileges")]

    operations = [
        migrations.AddField(
            model_name="organization",
            name="log_retention_days",
            field=models.PositiveSmallIntegerField(
                default=30, help_text="How long decisions are kept, in days; counts are kept longer."
            ),
        ),
    ]
