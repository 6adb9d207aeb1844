"""Privileges and functions of the first migration that the ORM has no words for."""

PRIVILEGES_AND_FUNCTIONS = [
    "CREATE SEQUENCE approvals_position AS bigint",
    "GRANT USAGE ON SEQUENCE approvals_position TO policylayer_app, policylayer_worker",
    # Muting is looked up by the function below, which runs as the owner of the tables; FORCE binds it, too.
    "CREATE POLICY lookup ON approvals_mailmuted FOR SELECT TO CURRENT_USER USING (true)",
    # To whom mail about waiting calls goes: those who may answer, have confirmed their address and want it.
    # The worker reads neither people nor memberships otherwise.
    """
    CREATE FUNCTION approvals_addressees(asked uuid) RETURNS TABLE (member_id uuid, email varchar)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        SELECT m.id, u.email
        FROM public.accounts_membership m
        JOIN public.accounts_user u ON u.id = m.user_id
        JOIN public.account_emailaddress e ON e.user_id = u.id AND lower(e.email) = lower(u.email)
        WHERE m.organization_id = asked AND u.is_active AND e.verified
          AND m.role IN ('owner', 'admin', 'policy_manager')
          AND NOT EXISTS (SELECT 1 FROM public.approvals_mailmuted q WHERE q.member_id = m.id)
        ORDER BY m.joined_at, m.id
    $$
    """,
    "REVOKE ALL ON FUNCTION approvals_addressees(uuid) FROM PUBLIC",
    "GRANT EXECUTE ON FUNCTION approvals_addressees(uuid) TO policylayer_app, policylayer_worker",
]
