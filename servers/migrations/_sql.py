"""That the tools of a server changed is written down by the database itself, whoever changes them and however."""

# In the order of their keys, so that no two statements wait for each other.
_ANOTHER_STATE = """
    INSERT INTO public.servers_toolset (server_id, organization_id, state)
    SELECT d.server_id, d.organization_id, gen_random_uuid()
    FROM (SELECT DISTINCT c.server_id, c.organization_id FROM ({changed}) c) d ORDER BY 1
    ON CONFLICT (server_id) DO UPDATE SET state = excluded.state;
"""
# Nothing new is written for what goes: its server may be gone at the end of it.
_ANOTHER_STATE_OF_THE_REST = """
    UPDATE public.servers_toolset SET state = gen_random_uuid()
    WHERE server_id IN (SELECT server_id FROM before_it);
"""
# What is kept of a tool; see `servers.shelves`.
_MATTERS = (
    "server_id",
    "organization_id",
    "name",
    "digest",
    "tool_class",
    "class_rank",
    "severity",
    "removed_at",
)


def _row(of: str) -> str:
    return ", ".join(f"{of}.{name}" for name in _MATTERS)


_OLD_AND_NEW = f"""
    SELECT x.* FROM before_it o JOIN after_it n USING (id)
    CROSS JOIN LATERAL (VALUES (o.server_id, o.organization_id), (n.server_id, n.organization_id))
                       x (server_id, organization_id)
    WHERE ({_row("o")}) IS DISTINCT FROM ({_row("n")})
"""


def _trigger(verb: str, body: str, tables: str) -> list[str]:
    name = f"servers_tools_{verb.lower()}"
    return [
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NULL; END $$",
        f"CREATE TRIGGER {name} AFTER {verb} ON servers_tool REFERENCING {tables}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {name}()",
    ]


CHANGED_TOOLS_ARE_NOTED = [
    *_trigger("INSERT", _ANOTHER_STATE.format(changed="SELECT * FROM after_it"), "NEW TABLE AS after_it"),
    *_trigger("DELETE", _ANOTHER_STATE_OF_THE_REST, "OLD TABLE AS before_it"),
    *_trigger(
        "UPDATE",
        _ANOTHER_STATE.format(changed=_OLD_AND_NEW),
        "OLD TABLE AS before_it NEW TABLE AS after_it",
    ),
]
