from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("approvals", "0004_a_webhook_gets_a_new_secret")]

    operations = [
        migrations.AddIndex(
            "approval",
            models.Index(
                fields=["organization", "-asked_at", "-id"],
                include=["state", "expires_at"],
                name="answered_in_order",
            ),
        ),
        migrations.RemoveIndex("approval", "approvals_a_organiz_2d7349_idx"),
    ]
