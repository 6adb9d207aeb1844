import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models

from accounts.tenancy import ProtectTenantTable

NAMES_THAT_ARE_THERE = [
    "ALTER TABLE audit_decisionrecord NO FORCE ROW LEVEL SECURITY",
    *(
        f"""
        INSERT INTO audit_loggedname (organization_id, kind, digest, name, calls, seen)
        SELECT organization_id, '{kind}',
            substr(encode(sha256(convert_to({column}, 'UTF8')), 'hex'), 1, 32)::uuid,
            {column}, count(*), date_trunc('day', max("at"), 'UTC')
        FROM audit_decisionrecord WHERE {column} <> '' GROUP BY organization_id, {column}
        """
        for kind, column in (("t", "tool"), ("r", "rule"))
    ),
    "ALTER TABLE audit_decisionrecord FORCE ROW LEVEL SECURITY",
]


class Migration(migrations.Migration):
    dependencies = [("accounts", "0010_kept_arguments"), ("audit", "0006_tools_are_counted_by_themselves")]

    operations = [
        migrations.CreateModel(
            "LoggedName",
            [
                ("pk", models.CompositePrimaryKey("organization", "kind", "digest", blank=True, editable=False, primary_key=True, serialize=False)),
                ("organization", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.organization")),
                ("kind", models.CharField(choices=[("t", "Tool"), ("r", "Rule")], max_length=1)),
                ("digest", models.UUIDField(help_text="Of the name, which may be longer than a page of an index holds.")),
                ("name", models.CharField(max_length=2048)),
                ("calls", models.BigIntegerField(help_text="That were ever logged; also those the log forgot since.")),
                ("seen", models.DateTimeField(help_text="The day of the latest call.")),
            ],
            {"abstract": False},
        ),
        migrations.RunSQL(NAMES_THAT_ARE_THERE, migrations.RunSQL.noop),
        ProtectTenantTable("audit_loggedname", app="SELECT", worker="SELECT, INSERT, UPDATE, DELETE"),
        migrations.AddIndex(
            "decisionrecord",
            django.contrib.postgres.indexes.HashIndex(fields=["rule"], name="decisions_of_a_rule"),
        ),
        migrations.AddIndex(
            "decisionrecord",
            models.Index(
                fields=["organization", "-position"],
                name="decisions_that_stopped_a_call",
                condition=models.Q(("outcome", "allow"), _negated=True),
            ),
        ),
    ]
