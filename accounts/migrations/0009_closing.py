from django.db import migrations

from accounts.migrations._sql import CLOSING


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0008_limits"),
        ("approvals", "0002_notices_go_with_their_webhook"),
        ("audit", "0003_approval"),
        ("gateway_config", "0004_closed_organizations"),
        ("policies", "0004_a_grant_is_rotated"),
        ("servers", "0001_initial"),
    ]

    operations = [migrations.RunSQL(CLOSING, migrations.RunSQL.noop)]
