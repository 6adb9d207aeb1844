"""Compressing a bundle of 100,000 grants PostgreSQL's older way takes longer than building it."""

from django.db import migrations

QUICKER = """
DO $$ BEGIN
    ALTER TABLE gateway_config_configrevision ALTER COLUMN body SET COMPRESSION lz4;
EXCEPTION WHEN OTHERS THEN
    NULL;  -- this PostgreSQL was built without it, or is older: slower, and no less right
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("gateway_config", "0001_initial")]

    operations = [migrations.RunSQL(QUICKER, migrations.RunSQL.noop)]
