"""Policies for property tests: documents that are right, and documents that may be wrong anywhere."""

import json
from typing import Any

from hypothesis import strategies as st

names = st.sampled_from(["a", "b", "get_a", "get_*", "*", "del/ete", "t~x", "*_x"])
members = st.sampled_from(["x", "y", "l", "n"])
texts = st.sampled_from(["No.", "Ask Alice.\nShe is in.", "é"])
numbers = st.one_of(st.integers(-20, 20), st.sampled_from([0.5, 1.25, 30.0]))
scalars = st.one_of(numbers, st.booleans(), st.none(), st.sampled_from(["", "a", "ab", "5"]))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(members, inner, max_size=3)),
    max_leaves=6,
)
single_paths = st.sampled_from(["args.x", "args.n", "args.l[0]", 'args["y"]', "args.x.y"])
paths = st.one_of(single_paths, st.sampled_from(["args.l[*]", "args.l[*].x", "args"]))

OPERANDS: dict[str, Any] = {
    **dict.fromkeys(["eq", "neq", "contains", "not_contains"], values),
    **dict.fromkeys(["in", "not_in"], st.lists(values, max_size=3)),
    **dict.fromkeys(["lt", "lte", "gt", "gte"], numbers),
    **dict.fromkeys(["starts_with", "ends_with"], st.sampled_from(["", "a", "b"])),
    **dict.fromkeys(["regex", "matches"], st.sampled_from(["a", "^a.*$", "[a-b]+", ""])),
    "exists": st.booleans(),
    **dict.fromkeys(["length_lte", "length_gte"], st.integers(0, 3)),
    "under_path": st.sampled_from(["/", "/srv/a", "/srv/../b"]),
    "host_in": st.lists(st.sampled_from(["a.example", "*.a.example", "10.0.0.1", "[::1]"]), max_size=2),
}


def optional(**members: Any) -> Any:
    return st.fixed_dictionaries({}, optional=members)


conditions = st.sampled_from(sorted(OPERANDS)).flatmap(
    lambda op: st.fixed_dictionaries({"path": paths, "op": st.just(op), "value": OPERANDS[op]})
)
predicates = st.fixed_dictionaries(
    {"conditions": st.lists(conditions, max_size=2)}, optional={"on_deny": texts}
)
windows = st.sampled_from(["second", "minute", "week", 60, 90])
maxima = st.sampled_from([1, 2, 30, 3e1])
limits = st.fixed_dictionaries(
    {
        "counter": st.sampled_from(["c", "{tool}_rate", "a_rate"]),
        "window": windows,
        "max": maxima,
        "scope": st.sampled_from(["grant", "server", "organization"]),
    },
    optional={"key": single_paths, "increment_from": single_paths, "on_deny": texts},
)
rules = optional(
    action=st.sampled_from(["allow", "deny", "require_approval"]),
    reason=texts,
    require=st.lists(predicates, max_size=2),
    deny_if=st.lists(predicates, max_size=2),
    approve_if=st.lists(predicates, max_size=2),
    limits=st.lists(limits, max_size=2),
    rate_limit=st.fixed_dictionaries({"max": maxima, "window": windows}),
)
defaults = st.sampled_from(["allow", "deny"])
access = st.fixed_dictionaries(
    {"default": defaults},
    optional={"allow": st.lists(names, max_size=2), "deny": st.lists(names, max_size=2)},
)
policies = st.fixed_dictionaries(
    {"version": st.just("1"), "default": defaults},
    optional={
        "$schema": st.just("https://example.com/policy"),
        "description": texts,
        "hide": st.lists(names, max_size=2),
        "all_tools": rules,
        "tools": st.dictionaries(names, rules, max_size=4),
        "classes": st.dictionaries(st.sampled_from(["Read", "Write", "Financial"]), rules, max_size=2),
        "resources": access,
        "prompts": access,
    },
)
arguments = st.dictionaries(members, values, max_size=4)
called = st.sampled_from(["a", "b", "get_a", "get_x", "c"])
junk = st.one_of(values, st.text(max_size=5), st.sampled_from(["deny", "minute", 1e400, -1, 1.5, 2**60]))


def _places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, inner in below for place in _places(inner, (*at, key)))]


@st.composite
def damaged(draw: Any) -> str:
    """A policy with something in it replaced, removed or added."""
    policy = json.loads(json.dumps(draw(policies)))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.sampled_from(_places(policy)))
        if not place:
            continue
        parent = policy
        for step in place[:-1]:
            parent = parent[step]
        if draw(st.booleans()):
            parent[place[-1]] = draw(junk)
        elif isinstance(parent, dict) and draw(st.booleans()):
            parent[draw(st.sampled_from(["x", "Tools", "value", "windw", "max", ""]))] = draw(junk)
        else:
            del parent[place[-1]]
    return json.dumps(policy).replace("Infinity", "1e400")
