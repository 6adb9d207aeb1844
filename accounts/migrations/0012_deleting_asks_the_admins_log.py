from django.db import migrations

from accounts.migrations._sql import LOG_OF_THE_ADMIN


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0011_answers_keep_their_version"),
        ("admin", "0003_logentry_add_action_flag_choices"),
    ]

    operations = [migrations.RunSQL(LOG_OF_THE_ADMIN, migrations.RunSQL.noop)]
