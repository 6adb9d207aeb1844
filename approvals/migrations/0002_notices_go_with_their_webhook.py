from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("approvals", "0001_initial")]

    operations = [
        migrations.RunSQL("GRANT DELETE ON approvals_notice TO policylayer_app", migrations.RunSQL.noop)
    ]
