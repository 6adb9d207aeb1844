"""The log becomes one table for each day, by the time in a decision's id, and is counted."""

from typing import Final

_COLUMNS: Final = (
    "id, position, completed_position, worker, spool, sequence, at, arrived_at, server_id, grant_id, method,"
    " tool, outcome, code, rule, reason, retry_after_seconds, policy_revision_id, config_revision,"
    " argument_names, argument_digest, added_us, upstream_status, upstream_code, total_us, organization_id"
)

# Each runs as the owner; a partition itself is granted to nobody, so rows are reached through the parent alone.
FUNCTIONS: Final = [
    """
    CREATE FUNCTION audit_first_id_of(day date) RETURNS uuid
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
        SELECT (lpad(to_hex((extract(epoch FROM day) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
    $$
    """,
    """
    CREATE FUNCTION audit_make_partitions(first_day date, last_day date) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DECLARE
        day date;
        part text;
        made integer := 0;
    BEGIN
        IF last_day - first_day > 400 THEN
            RAISE EXCEPTION 'no more than 400 days at once';
        END IF;
        PERFORM pg_advisory_xact_lock(70234);
        FOR day IN SELECT generate_series(first_day, last_day, interval '1 day')::date LOOP
            part := 'audit_decisions_' || to_char(day, 'YYYYMMDD');
            CONTINUE WHEN to_regclass('public.' || part) IS NOT NULL;
            EXECUTE format('CREATE TABLE public.%I (LIKE public.audit_decisionrecord INCLUDING ALL)', part);
            EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', part);
            -- What came before there was a place for it.
            EXECUTE format(
                'WITH moved AS (DELETE FROM public.audit_decisions_other WHERE id >= %L AND id < %L RETURNING *)'
                ' INSERT INTO public.%I SELECT * FROM moved',
                public.audit_first_id_of(day), public.audit_first_id_of(day + 1), part
            );
            EXECUTE format(
                'ALTER TABLE public.audit_decisionrecord ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
                part, public.audit_first_id_of(day), public.audit_first_id_of(day + 1)
            );
            made := made + 1;
        END LOOP;
        RETURN made;
    END
    $$
    """,
    """
    CREATE FUNCTION audit_drop_partitions(before_day date) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DECLARE
        part text;
        dropped integer := 0;
    BEGIN
        PERFORM pg_advisory_xact_lock(70234);
        FOR part IN
            SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = 'public.audit_decisionrecord'::regclass
            AND c.relname ~ '^audit_decisions_[0-9]{8}$'
            AND to_date(right(c.relname, 8), 'YYYYMMDD') < before_day
        LOOP
            EXECUTE format('DROP TABLE public.%I', part);
            dropped := dropped + 1;
        END LOOP;
        RETURN dropped;
    END
    $$
    """,
    "REVOKE ALL ON FUNCTION audit_make_partitions(date, date), audit_drop_partitions(date),"
    " audit_first_id_of(date) FROM PUBLIC",
    "GRANT EXECUTE ON FUNCTION audit_make_partitions(date, date), audit_drop_partitions(date)"
    " TO policylayer_worker",
]

BECOME_PARTITIONED: Final = [
    # The owner reads it once more, whoever the owner is.
    "ALTER TABLE audit_decisionrecord NO FORCE ROW LEVEL SECURITY",
    "ALTER TABLE audit_decisionrecord DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE audit_decisionrecord RENAME TO audit_decisionrecord_whole",
    "CREATE TABLE audit_decisionrecord (LIKE audit_decisionrecord_whole INCLUDING DEFAULTS)"
    " PARTITION BY RANGE (id)",
    "CREATE TABLE audit_decisions_other PARTITION OF audit_decisionrecord DEFAULT",
    "ALTER TABLE audit_decisions_other ENABLE ROW LEVEL SECURITY",
    f"INSERT INTO audit_decisionrecord ({_COLUMNS}) SELECT {_COLUMNS} FROM audit_decisionrecord_whole",
    "DROP TABLE audit_decisionrecord_whole",
    "ALTER TABLE audit_decisionrecord ADD CONSTRAINT audit_decisionrecord_pkey PRIMARY KEY (id)",
    "ALTER TABLE audit_decisionrecord ADD CONSTRAINT one_record_per_sequence UNIQUE (spool, sequence, id)",
    "ALTER TABLE audit_decisionrecord ADD CONSTRAINT audit_decisionrecord_organization_id_fk"
    " FOREIGN KEY (organization_id) REFERENCES accounts_organization (id) DEFERRABLE INITIALLY DEFERRED",
    "CREATE INDEX audit_decis_organiz_9d479d_idx ON audit_decisionrecord (organization_id, position DESC)",
    "CREATE INDEX late_completions ON audit_decisionrecord (organization_id, completed_position)"
    " WHERE completed_position IS NOT NULL",
    'CREATE INDEX audit_decis_organiz_ba3de4_idx ON audit_decisionrecord (organization_id, "at" DESC)',
    "CREATE INDEX audit_decis_organiz_dfd8d8_idx"
    " ON audit_decisionrecord (organization_id, grant_id, position DESC)",
    "CREATE INDEX audit_decis_organiz_7f4e1d_idx"
    " ON audit_decisionrecord (organization_id, server_id, position DESC)",
]

_SHOWN: Final = """
    CASE WHEN outcome <> 'deny' THEN outcome
        WHEN code IN ('limit_exceeded', 'limiter_unavailable') THEN 'limit'
        WHEN code IN ('approval_required', 'approval_declined', 'approval_expired') THEN 'approval'
        WHEN code = 'hidden' THEN 'hidden' ELSE 'deny' END
"""
_UNITS: Final = "(VALUES ('m', 'minute'), ('h', 'hour'), ('d', 'day')) AS unit (letter, word)"
COUNT_WHAT_IS_THERE: Final = [
    f"""
    INSERT INTO audit_callcount (organization_id, unit, start, outcome, added, calls)
    SELECT organization_id, unit.letter, date_trunc(unit.word, "at", 'UTC'), {_SHOWN},
        floor(4 * log(2, added_us + 1)), count(*)
    FROM audit_decisionrecord, {_UNITS} GROUP BY 1, 2, 3, 4, 5
    """,  # noqa: S608
    f"""
    INSERT INTO audit_usecount (organization_id, unit, start, server_id, grant_id, tool, outcome, calls)
    SELECT organization_id, unit.letter, date_trunc(unit.word, "at", 'UTC'), server_id, grant_id,
        left(tool, 256), {_SHOWN}, count(*)
    FROM audit_decisionrecord, {_UNITS} GROUP BY 1, 2, 3, 4, 5, 6, 7
    """,  # noqa: S608
]
