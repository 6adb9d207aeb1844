import django.db.models.deletion
from django.db import migrations, models

from accounts.tenancy import ProtectTenantTable


def organization() -> models.ForeignKey:
    return models.ForeignKey(
        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.organization"
    )


# What is counted of a day is known to the day, of the last hours to the minute.
COUNT_WHAT_IS_THERE = [
    "ALTER TABLE audit_usecount NO FORCE ROW LEVEL SECURITY",
    """
    INSERT INTO audit_toolcount (organization_id, unit, start, tool, outcome, calls)
    SELECT organization_id, unit, start, tool, outcome, sum(calls)
    FROM audit_usecount WHERE tool <> '' GROUP BY 1, 2, 3, 4, 5
    """,
    """
    INSERT INTO audit_tooluser (organization_id, tool, grant_id, called, held)
    SELECT organization_id, tool, grant_id, max(start), max(start) FILTER (WHERE outcome <> 'allow')
    FROM audit_usecount WHERE tool <> '' AND start > now() - interval '40 days' GROUP BY 1, 2, 3
    """,
    "ALTER TABLE audit_usecount FORCE ROW LEVEL SECURITY",
]


class Migration(migrations.Migration):
    dependencies = [("accounts", "0010_kept_arguments"), ("audit", "0005_lists_are_found_quickly")]

    operations = [
        migrations.CreateModel(
            "ToolCount",
            [
                ("pk", models.CompositePrimaryKey("organization", "unit", "start", "tool", "outcome", blank=True, editable=False, primary_key=True, serialize=False)),
                ("organization", organization()),
                ("unit", models.CharField(max_length=1)),
                ("start", models.DateTimeField()),
                ("tool", models.CharField(max_length=256)),
                ("outcome", models.CharField(max_length=8)),
                ("calls", models.BigIntegerField()),
            ],
            {"abstract": False},
        ),
        migrations.CreateModel(
            "ToolUser",
            [
                ("pk", models.CompositePrimaryKey("organization", "tool", "grant_id", blank=True, editable=False, primary_key=True, serialize=False)),
                ("organization", organization()),
                ("tool", models.CharField(max_length=256)),
                ("grant_id", models.UUIDField()),
                ("called", models.DateTimeField()),
                ("held", models.DateTimeField(null=True)),
            ],
            {"abstract": False},
        ),
        migrations.RunSQL(COUNT_WHAT_IS_THERE, migrations.RunSQL.noop),
        ProtectTenantTable("audit_toolcount", app="SELECT", worker="SELECT, INSERT, UPDATE, DELETE"),
        ProtectTenantTable("audit_tooluser", app="SELECT", worker="SELECT, INSERT, UPDATE, DELETE"),
        migrations.RemoveIndex("usecount", "uses_in_a_period"),
        migrations.AddIndex(
            "usecount", models.Index(fields=["organization", "grant_id", "unit", "start"], name="uses_of_a_grant")
        ),
        migrations.AddIndex(
            "usecount", models.Index(fields=["organization", "server_id", "unit", "start"], name="uses_of_a_server")
        ),
    ]
