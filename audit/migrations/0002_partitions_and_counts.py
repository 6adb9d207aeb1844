import django.db.models.deletion
from django.db import migrations, models

from accounts.tenancy import ProtectTenantTable
from audit.migrations._partitions import BECOME_PARTITIONED, COUNT_WHAT_IS_THERE, FUNCTIONS


def organization() -> models.ForeignKey:
    return models.ForeignKey(
        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.organization"
    )


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_log_retention"), ("audit", "0001_initial")]

    operations = [
        migrations.SeparateDatabaseAndState(
            [migrations.RunSQL(BECOME_PARTITIONED, migrations.RunSQL.noop)],
            [
                migrations.RemoveConstraint("decisionrecord", "one_record_per_sequence"),
                migrations.AlterField(
                    "decisionrecord",
                    "position",
                    models.BigIntegerField(
                        db_default=models.Func(models.Value("audit_decision_position"), function="nextval"),
                        editable=False,
                        help_text="Rises in the order of arrival; the cursor of lists and of the live tail.",
                    ),
                ),
                migrations.AddConstraint(
                    "decisionrecord",
                    models.UniqueConstraint(fields=("spool", "sequence", "id"), name="one_record_per_sequence"),
                ),
            ],
        ),
        ProtectTenantTable("audit_decisionrecord", app="SELECT", worker="SELECT, INSERT, UPDATE, DELETE"),
        migrations.RunSQL(FUNCTIONS, migrations.RunSQL.noop),
        migrations.RunSQL(
            # The days there are records of, and a few to come.
            "SELECT audit_make_partitions((now() AT TIME ZONE 'UTC')::date - 30, (now() AT TIME ZONE 'UTC')::date + 3)",
            migrations.RunSQL.noop,
        ),
        migrations.CreateModel(
            "CallCount",
            [
                ("pk", models.CompositePrimaryKey("organization", "unit", "start", "outcome", "added", blank=True, editable=False, primary_key=True, serialize=False)),
                ("organization", organization()),
                ("unit", models.CharField(max_length=1)),
                ("start", models.DateTimeField()),
                ("outcome", models.CharField(help_text="As shown: one of `audit.outcomes`.", max_length=8)),
                (
                    "added",
                    models.PositiveSmallIntegerField(
                        help_text="Bucket of the time we added; see `audit.counts`."
                    ),
                ),
                ("calls", models.BigIntegerField()),
            ],
            {"abstract": False},
        ),
        migrations.CreateModel(
            "UseCount",
            [
                (
                    "pk",
                    models.CompositePrimaryKey("organization", "unit", "start", "server_id", "grant_id", "tool", "outcome", blank=True, editable=False, primary_key=True, serialize=False),
                ),
                ("organization", organization()),
                ("unit", models.CharField(max_length=1)),
                ("start", models.DateTimeField()),
                ("server_id", models.UUIDField()),
                ("grant_id", models.UUIDField()),
                ("tool", models.CharField(max_length=256)),
                ("outcome", models.CharField(max_length=8)),
                ("calls", models.BigIntegerField()),
            ],
            {"abstract": False},
        ),
        migrations.RunSQL(COUNT_WHAT_IS_THERE, migrations.RunSQL.noop),
        ProtectTenantTable("audit_callcount", app="SELECT", worker="SELECT, INSERT, UPDATE, DELETE"),
        ProtectTenantTable("audit_usecount", app="SELECT", worker="SELECT, INSERT, UPDATE, DELETE"),
    ]
