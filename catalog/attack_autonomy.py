"""Attacks that need only what an agent does on its own, or with what it holds. Pure."""

from __future__ import annotations

from typing import Final

from catalog.attack_shape import Attack, Attempt, limit, policy, when

DESTRUCTIVE_AUTONOMY: Final = Attack(
    key="destructive-autonomy",
    title="Destructive autonomy",
    short="it tidied up what was still needed",
    how=(
        "No attacker is needed. An agent that is asked to clean up, to free space or to start over "
        "finds the shortest way, and the shortest way is often to delete.",
        "It is sure of itself, it is fast, and it does not feel the difference between a scratch "
        "table and the one with the orders in it.",
    ),
    example=(
        "“The tests fail, the database looks stale. Fix it.”",
        "The agent drops the database and makes a new one. The tests pass.",
        "It was connected to production: the name of the variable was the same.",
    ),
    stops=(
        "Everything Destructive waits for a person, who sees the exact arguments and approves that one call.",
        "What acts on production is denied outright, with a reason the agent can act on.",
    ),
    policy=policy(
        tools={
            "drop_database": {
                "deny_if": [
                    {
                        "conditions": [when("args.name", "regex", ".*prod.*")],
                        "on_deny": "Production databases are not for agents. Ask in #platform.",
                    }
                ],
                "action": "require_approval",
            }
        },
        classes={"Read": {}, "Destructive": {"action": "require_approval"}},
    ),
    attempts=(
        Attempt("list_databases", {}, "allow", "looking costs nothing"),
        Attempt("drop_database", {"name": "scratch-7"}, "approval", "a person is asked"),
        Attempt("drop_database", {"name": "orders-prod"}, "deny", "nobody is even asked"),
        Attempt("delete_backup", {"id": "b-12"}, "approval", "whatever else destroys waits, too"),
    ),
    tools={"list_databases": "Read", "drop_database": "Destructive", "delete_backup": "Destructive"},
)

RUNAWAY_LOOPS: Final = Attack(
    key="runaway-loops",
    title="Runaway loops",
    short="a retry makes the second one, and the thousandth",
    how=(
        "An agent that does not see its success tries again. An answer it cannot read, a time-out, "
        "a check that looks in the wrong place: each makes it repeat a call that had worked.",
        "A person tires after three tries. An agent does three a second until somebody notices the bill.",
    ),
    example=(
        "create_ticket answers after the agent’s patience ends.",
        "The agent calls again; the search index it checks with lags by a minute.",
        "By lunch there are four thousand tickets, and each one has mailed a person.",
    ),
    stops=(
        "A limit in any span of a minute, and a second one for the day: the window slides, so "
        "there is no double burst when a clock turns.",
        "The refusal says when to try again. Agents that read it slow down by themselves.",
    ),
    policy=policy(
        tools={
            "create_ticket": {
                "limits": [limit("create_ticket_rate", 5), limit("tickets_a_day", 60, "day")],
            },
            "search_tickets": {"rate_limit": {"max": 60, "window": "minute"}},
        }
    ),
    attempts=(
        Attempt("create_ticket", {"title": "Down"}, "limited", "the first goes through, and is counted"),
        Attempt("search_tickets", {"q": "Down"}, "limited", "so does looking for it"),
    ),
    tools={"create_ticket": "Write", "search_tickets": "Read"},
)

CREDENTIAL_LEAKS: Final = Attack(
    key="credential-leaks",
    title="Credential leaks in answers and errors",
    short="the secret is in the result",
    how=(
        "Some tools answer with a secret because that is what they are for: a new key, a "
        "connection string, the variables of a process. Others do it by accident, in the text of "
        "an error.",
        "From then on the secret is in the agent’s context, in the provider’s logs, and in "
        "whatever the agent writes next. It cannot be taken back, only rotated.",
    ),
    example=(
        "A deployment fails. The agent calls get_environment to see why.",
        "The answer lists DATABASE_URL with its password, which the agent quotes in the pull request.",
        "The pull request is public.",
    ),
    stops=(
        "A Read that may return a secret waits for a person; harmless parts are named and allowed.",
        "The credential of the server itself never comes near the agent: it is sealed here and "
        "added on the way.",
    ),
    policy=policy(
        tools={
            "get_environment": {
                "approve_if": [{"conditions": [when("args.name", "not_in", ["NODE_ENV", "PORT", "TZ"])]}]
            },
            "get_logs": {"require": [{"conditions": [when("args.service", "in", ["web", "worker"])]}]},
        }
    ),
    attempts=(
        Attempt("get_environment", {"name": "NODE_ENV"}, "allow", "what is not a secret is read"),
        Attempt("get_environment", {"name": "DATABASE_URL"}, "approval", "what may be one waits"),
        Attempt("get_environment", {}, "approval", "and so does everything at once"),
        Attempt("get_logs", {"service": "vault"}, "deny", "logs of the vault are not read"),
    ),
    tools={"get_environment": "Read", "get_logs": "Read"},
)

TOKEN_MISUSE: Final = Attack(
    key="token-misuse",
    title="Token misuse",
    short="the key outlives the task and opens more than it should",
    how=(
        "The token an agent is given usually belongs to a person and can do what the person can. "
        "It sits in a configuration file, is passed from client to client, and is good for a year.",
        "Whoever finds it needs no agent. And an agent that makes tokens of its own leaves more of "
        "them behind.",
    ),
    example=(
        "A contractor’s agent holds a personal token with all rights, “for now”.",
        "It makes an access key for itself, because the first token lacks one permission.",
        "The contractor leaves; the token is revoked; the key is not.",
    ),
    stops=(
        "Agents hold a grant of ours, good for one server and one policy, revoked with one click. "
        "The server’s own credential stays sealed here.",
        "Making and widening credentials is gated: a person agrees to that very call, or it does not happen.",
    ),
    policy=policy(
        tools={
            "create_access_key": {"action": "require_approval"},
            "attach_user_policy": {"action": "require_approval"},
            "list_access_keys": {},
            "delete_access_key": {"rate_limit": {"max": 5, "window": "hour"}},
        }
    ),
    attempts=(
        Attempt("list_access_keys", {}, "allow", "seeing which keys there are"),
        Attempt("create_access_key", {"user_name": "ci"}, "approval", "a new one needs a person"),
        Attempt("delete_access_key", {"id": "AK"}, "limited", "an old one may go, not all of them at once"),
    ),
    tools={
        "list_access_keys": "Read",
        "create_access_key": "Write",
        "attach_user_policy": "Write",
        "delete_access_key": "Destructive",
    },
)

FREE_FORM: Final = Attack(
    key="free-form-execution",
    title="Free-form execution",
    short="one argument is a whole program",
    how=(
        "A tool that takes a command, a query or a script has no fixed meaning: it does whatever "
        "the text says. Its one name covers reading a file and wiping a disk.",
        "Rules about words in the text are a fence with gaps: there are many ways to spell a command.",
    ),
    example=(
        "run_query is there to count orders. An agent asked to “remove the duplicates” writes a DELETE.",
        "A WHERE clause is missing.",
        "The count is now right: there are no duplicates, and no orders.",
    ),
    stops=(
        "Say what is allowed, not what is forbidden: queries of the exact forms you name pass, any "
        "other waits for a person who reads it.",
        "Give the agent narrow tools where you can, and a database user that can only read.",
    ),
    policy=policy(
        tools={
            "run_query": {
                "approve_if": [
                    {"conditions": [when("args.sql", "not_in", ["SELECT count(*) FROM orders", "SELECT 1"])]}
                ]
            },
            "run_command": {"action": "require_approval"},
        }
    ),
    attempts=(
        Attempt("run_query", {"sql": "SELECT 1"}, "allow", "a query you named"),
        Attempt(
            "run_query", {"sql": "DELETE FROM orders"}, "approval", "any other is read by a person first"
        ),
        Attempt("run_command", {"command": "ls"}, "approval", "and so is every command"),
    ),
    tools={"run_query": "Execute", "run_command": "Execute"},
)
