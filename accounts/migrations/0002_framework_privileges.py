from django.db import migrations

from accounts.migrations._sql import TABLES_THAT_ARE_NO_TENANTS


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("account", "0009_emailaddress_unique_primary_email"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("sessions", "0001_initial"),
    ]

    operations = [migrations.RunSQL(TABLES_THAT_ARE_NO_TENANTS, migrations.RunSQL.noop)]
