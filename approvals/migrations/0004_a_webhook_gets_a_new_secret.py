from django.db import migrations, models

# A message that ended is sent again by who asks for it; what it says is never written over.
AGAIN = "GRANT UPDATE (state, due_at, attempts, ended_at) ON approvals_notice TO policylayer_app"


class Migration(migrations.Migration):

    dependencies = [("approvals", "0003_what_else_is_told")]

    operations = [
        migrations.AddField(
            model_name="webhook",
            name="sealed_earlier",
            field=models.TextField(blank=True, default="", help_text="The secret before, while it signs too."),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="webhook",
            name="earlier_until",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.RunSQL(AGAIN, migrations.RunSQL.noop),
    ]
