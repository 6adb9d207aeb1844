from django.db import migrations, models

from accounts.tenancy import ProtectTenantTable

# Whatever stores a record, or its end, notes its day: a day that was left out would hide what lies in it.
KEPT_BY_THE_DATABASE = [
    """
    CREATE FUNCTION audit_day_of(id uuid) RETURNS integer
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
        SELECT (('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 86400000)::integer
    $$
    """,
    """
    CREATE FUNCTION audit_note_days() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
    BEGIN
        -- Who seals arguments anew changes no place, and may not write here.
        IF TG_OP = 'UPDATE' THEN
            IF NOT EXISTS (
                SELECT FROM arrived JOIN before USING (id)
                WHERE arrived.completed_position IS DISTINCT FROM before.completed_position
            ) THEN
                RETURN NULL;
            END IF;
        END IF;
        INSERT INTO public.audit_logday AS known (organization_id, day, first, last, completed)
        SELECT organization_id, public.audit_day_of(id), min(position), max(position), max(completed_position)
        FROM arrived GROUP BY 1, 2 ORDER BY 1, 2
        ON CONFLICT (organization_id, day) DO UPDATE SET
            first = least(known.first, excluded.first), last = greatest(known.last, excluded.last),
            completed = greatest(known.completed, excluded.completed)
        WHERE known.first > excluded.first OR known.last < excluded.last
            OR excluded.completed > coalesce(known.completed, 0);
        RETURN NULL;
    END
    $$
    """,
    "CREATE TRIGGER days_of_what_arrived AFTER INSERT ON audit_decisionrecord"
    " REFERENCING NEW TABLE AS arrived FOR EACH STATEMENT EXECUTE FUNCTION audit_note_days()",
    "CREATE TRIGGER days_of_what_ended AFTER UPDATE ON audit_decisionrecord"
    " REFERENCING OLD TABLE AS before NEW TABLE AS arrived"
    " FOR EACH STATEMENT EXECUTE FUNCTION audit_note_days()",
    "REVOKE ALL ON FUNCTION audit_day_of(uuid), audit_note_days() FROM PUBLIC",
    "GRANT EXECUTE ON FUNCTION audit_day_of(uuid), audit_first_id_of(date) TO policylayer_worker",
    # Nothing is stored between this and the triggers: making them took a lock that stores wait for.
    "ALTER TABLE audit_decisionrecord NO FORCE ROW LEVEL SECURITY",
    """
    INSERT INTO audit_logday (organization_id, day, first, last, completed)
    SELECT organization_id, audit_day_of(id), min(position), max(position), max(completed_position)
    FROM audit_decisionrecord GROUP BY 1, 2
    """,
    "ALTER TABLE audit_decisionrecord FORCE ROW LEVEL SECURITY",
]


class Migration(migrations.Migration):
    dependencies = [("accounts", "0010_kept_arguments"), ("audit", "0008_decisions_of_a_revision")]

    operations = [
        migrations.CreateModel(
            "LogDay",
            [
                ("pk", models.CompositePrimaryKey("organization", "day", blank=True, editable=False, primary_key=True, serialize=False)),
                ("organization", models.ForeignKey(on_delete=models.CASCADE, related_name="+", to="accounts.organization")),
                ("day", models.IntegerField(help_text="Days since 1970 of the time in the ids.")),
                ("first", models.BigIntegerField(help_text="No record of the day has a lower position.")),
                ("last", models.BigIntegerField(help_text="Nor a higher one.")),
                ("completed", models.BigIntegerField(help_text="Nor a higher completed position.", null=True)),
            ],
            {"abstract": False},
        ),
        # Before its rows are protected from their owner, too.
        migrations.RunSQL(KEPT_BY_THE_DATABASE, migrations.RunSQL.noop),
        ProtectTenantTable("audit_logday", app="SELECT", worker="SELECT, INSERT, UPDATE, DELETE"),
    ]
