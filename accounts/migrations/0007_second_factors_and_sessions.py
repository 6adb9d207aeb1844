from django.db import migrations

from accounts.migrations._sql import TABLES_OF_A_PERSON


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_idempotent_answers"),
        ("mfa", "0003_authenticator_type_uniq"),
        ("usersessions", "0001_initial"),
    ]

    operations = [migrations.RunSQL(TABLES_OF_A_PERSON, migrations.RunSQL.noop)]
