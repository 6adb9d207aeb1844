"""Grants that change are written down by the database itself, whoever changes them and however."""

# One row for each beginning that a statement touched: two hexadecimal digits of a token's digest. While an
# organization is deleted nothing is written: the row would refer to what is gone at the end of it.
_NOTE_BEGINNINGS = """
    INSERT INTO public.gateway_config_grantchange (organization_id, beginning)
    SELECT DISTINCT c.organization_id, left(t.digest, 2)
    FROM ({changed}) c CROSS JOIN LATERAL (VALUES (c.token_hash), (c.earlier_hash)) t (digest)
    WHERE t.digest <> '' AND NOT EXISTS (
        SELECT 1 FROM public.gateway_config_closedorganization o WHERE o.organization_id = c.organization_id
    );
"""
_OLD_AND_NEW = """
    SELECT x.* FROM before_it o JOIN after_it n USING (id)
    CROSS JOIN LATERAL (VALUES (o.organization_id, o.token_hash, o.earlier_hash),
                               (n.organization_id, n.token_hash, n.earlier_hash))
                       x (organization_id, token_hash, earlier_hash)
    WHERE ({old}) IS DISTINCT FROM ({new})
"""
# What a bundle says of a grant, and what decides whether it says anything.
_MATTERS = (
    "organization_id",
    "server_id",
    "policy_id",
    "token_hash",
    "earlier_hash",
    "earlier_until",
    "expires_at",
    "revoked_at",
)


def _trigger(verb: str, changed: str, tables: str) -> list[str]:
    name = f"gateway_config_grants_{verb.lower()}"
    return [
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" {_NOTE_BEGINNINGS.format(changed=changed)} RETURN NULL; END $$",
        f"CREATE TRIGGER {name} AFTER {verb} ON policies_grant REFERENCING {tables}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {name}()",
    ]


CHANGED_GRANTS_ARE_NOTED = [
    *_trigger("INSERT", "SELECT * FROM after_it", "NEW TABLE AS after_it"),
    *_trigger("DELETE", "SELECT * FROM before_it", "OLD TABLE AS before_it"),
    *_trigger(
        "UPDATE",
        _OLD_AND_NEW.format(
            old=", ".join(f"o.{name}" for name in _MATTERS), new=", ".join(f"n.{name}" for name in _MATTERS)
        ),
        "OLD TABLE AS before_it NEW TABLE AS after_it",
    ),
]
