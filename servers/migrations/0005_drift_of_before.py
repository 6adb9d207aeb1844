from django.db import migrations

# What scans found before servers kept it stands in the scans.
FIND_WHAT_IS_THERE = [
    "ALTER TABLE servers_server NO FORCE ROW LEVEL SECURITY",
    "ALTER TABLE servers_toolscan NO FORCE ROW LEVEL SECURITY",
    """
    UPDATE servers_server SET drifted_at = found.at
    FROM (
        SELECT server_id, max(finished_at) AS at FROM servers_toolscan
        WHERE state = 'done' AND changes -> 'changed' <> '[]'::jsonb GROUP BY 1
    ) found
    WHERE found.server_id = id AND drifted_at IS NULL
    """,
    "SET CONSTRAINTS ALL IMMEDIATE",
    "ALTER TABLE servers_toolscan FORCE ROW LEVEL SECURITY",
    "ALTER TABLE servers_server FORCE ROW LEVEL SECURITY",
]


class Migration(migrations.Migration):
    dependencies = [("servers", "0004_drifted_at")]

    operations = [
        migrations.RunSQL(FIND_WHAT_IS_THERE, migrations.RunSQL.noop),
    ]
