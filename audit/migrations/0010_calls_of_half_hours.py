from django.db import migrations

# What is counted of a half hour is what was counted of its minutes.
COUNT_WHAT_IS_THERE = [
    "ALTER TABLE audit_callcount NO FORCE ROW LEVEL SECURITY",
    """
    INSERT INTO audit_callcount (organization_id, unit, start, outcome, added, calls)
    SELECT organization_id, 't', date_bin('30 minutes', start, '2000-01-01Z'), outcome, added, sum(calls)
    FROM audit_callcount WHERE unit = 'm' GROUP BY 1, 3, 4, 5 ORDER BY 3
    """,
    "SET CONSTRAINTS ALL IMMEDIATE",
    "ALTER TABLE audit_callcount FORCE ROW LEVEL SECURITY",
]


class Migration(migrations.Migration):
    dependencies = [("audit", "0009_days_of_the_log")]

    operations = [
        migrations.RunSQL(COUNT_WHAT_IS_THERE, migrations.RunSQL.noop),
    ]
