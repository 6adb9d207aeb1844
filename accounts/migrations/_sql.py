"""Privileges and functions of the first migration that the ORM has no words for."""

# Before the organization is known the application may ask exactly these questions. They run as the owner of the
# tables, which row-level security binds too (FORCE), hence the owner's own policies; their search_path is fixed.
LOOKUPS_BEFORE_THE_ORGANIZATION_IS_KNOWN = [
    "CREATE POLICY lookup ON accounts_membership FOR SELECT TO CURRENT_USER USING (true)",
    "CREATE POLICY lookup ON accounts_organization FOR SELECT TO CURRENT_USER USING (true)",
    "CREATE POLICY lookup ON accounts_apikey FOR SELECT TO CURRENT_USER USING (true)",
    """
    CREATE FUNCTION accounts_memberships_of(asked uuid)
    RETURNS TABLE (membership_id uuid, organization_id uuid, organization_name varchar, role varchar)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        SELECT m.id, m.organization_id, o.name, m.role
        FROM public.accounts_membership m JOIN public.accounts_organization o ON o.id = m.organization_id
        WHERE m.user_id = asked ORDER BY m.joined_at, m.id
    $$
    """,
    """
    CREATE FUNCTION accounts_organization_of_key(asked varchar) RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        SELECT k.organization_id FROM public.accounts_apikey k WHERE k.key_hash = asked
    $$
    """,
    "REVOKE ALL ON FUNCTION accounts_memberships_of(uuid), accounts_organization_of_key(varchar) FROM PUBLIC",
    "GRANT EXECUTE ON FUNCTION accounts_memberships_of(uuid), accounts_organization_of_key(varchar)"
    " TO policylayer_app",
]

TABLES_THAT_ARE_NO_TENANTS = [
    "GRANT SELECT, INSERT, UPDATE ON accounts_user TO policylayer_app",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON django_session, account_emailaddress, account_emailconfirmation"
    " TO policylayer_app",
    "GRANT USAGE ON SEQUENCE account_emailaddress_id_seq, account_emailconfirmation_id_seq TO policylayer_app",
    # Read by Django itself: permissions of the signed-in user, pending migrations at start.
    "GRANT SELECT ON django_content_type, auth_permission, auth_group, auth_group_permissions,"
    " accounts_user_groups, accounts_user_user_permissions TO policylayer_app",
    "GRANT SELECT ON django_migrations TO policylayer_app, policylayer_worker",
]

INVITATION_BEFORE_THE_ORGANIZATION_IS_KNOWN = [
    "CREATE POLICY lookup ON accounts_invitation FOR SELECT TO CURRENT_USER USING (true)",
    """
    CREATE FUNCTION accounts_organization_of_invitation(asked varchar) RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        SELECT i.organization_id FROM public.accounts_invitation i WHERE i.token_hash = asked
    $$
    """,
    "REVOKE ALL ON FUNCTION accounts_organization_of_invitation(varchar) FROM PUBLIC",
    "GRANT EXECUTE ON FUNCTION accounts_organization_of_invitation(varchar) TO policylayer_app",
]

TABLES_OF_A_PERSON = [
    "GRANT SELECT, INSERT, UPDATE, DELETE ON mfa_authenticator, usersessions_usersession TO policylayer_app",
    "GRANT USAGE ON SEQUENCE mfa_authenticator_id_seq, usersessions_usersession_id_seq TO policylayer_app",
    # People may delete their account.
    "GRANT DELETE ON accounts_user, accounts_user_groups, accounts_user_user_permissions TO policylayer_app",
]

WHETHER_AN_OWNER_CONFIRMED = [
    # allauth's table is read with the rights of the tables' owner, like the people it is about.
    """
    CREATE FUNCTION accounts_is_confirmed(asked uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        SELECT EXISTS (
            SELECT 1 FROM public.accounts_membership m
            JOIN public.accounts_user u ON u.id = m.user_id
            JOIN public.account_emailaddress e ON e.user_id = u.id
            WHERE m.organization_id = asked AND m.role = 'owner' AND u.is_active
            AND e.verified AND lower(e.email) = lower(u.email)
        )
    $$
    """,
    "REVOKE ALL ON FUNCTION accounts_is_confirmed(uuid) FROM PUBLIC",
    "GRANT EXECUTE ON FUNCTION accounts_is_confirmed(uuid) TO policylayer_app, policylayer_worker",
]

_TENANT_TABLES = """
    SELECT c.oid::regclass AS name, c.relname AS short
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'organization_id'
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND NOT a.attisdropped
    AND c.relnamespace = 'public'::regnamespace
    AND c.relname <> 'gateway_config_closedorganization'
"""

# Tables made after this one get the policy from ProtectTenantTable itself.
CLOSING = [
    f"""
    DO $$
    DECLARE t record;
    BEGIN
        FOR t IN {_TENANT_TABLES} LOOP
            IF NOT EXISTS (SELECT 1 FROM pg_policies p
                           WHERE p.tablename = t.short AND p.policyname = 'closing') THEN
                EXECUTE format('CREATE POLICY closing ON %s TO CURRENT_USER USING (organization_id ='
                               ' nullif(current_setting(''app.organization'', true), '''')::uuid)', t.name);
            END IF;
        END LOOP;
    END $$
    """,
    # Of the organization the transaction is in, and no other. References are checked at its end.
    f"""
    CREATE FUNCTION accounts_delete_rows_of(asked uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DECLARE t record;
    BEGIN
        IF asked IS DISTINCT FROM nullif(current_setting('app.organization', true), '')::uuid THEN
            RAISE EXCEPTION 'an organization is deleted from inside it';
        END IF;
        FOR t IN {_TENANT_TABLES} LOOP
            EXECUTE format('DELETE FROM %s WHERE organization_id = $1', t.name) USING asked;
        END LOOP;
    END $$
    """,
    "REVOKE ALL ON FUNCTION accounts_delete_rows_of(uuid) FROM PUBLIC",
    "GRANT EXECUTE ON FUNCTION accounts_delete_rows_of(uuid) TO policylayer_app",
    "GRANT DELETE ON accounts_organization TO policylayer_app",
]

# Nothing ever writes it, but Django deletes a person's entries with the person.
LOG_OF_THE_ADMIN = ["GRANT SELECT, DELETE ON django_admin_log TO policylayer_app"]
