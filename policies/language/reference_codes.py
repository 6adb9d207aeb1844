"""What every code means, in a sentence each: the reference is made of these."""

from collections.abc import Mapping
from typing import Final

from .document import Operator
from .effects import Effect

TEXT_PROBLEMS: Final = {
    "too_large": "The text has more than 1,048,576 bytes.",
    "bad_encoding": "The text is not UTF-8.",
    "bom": "The text begins with a byte order mark.",
    "bad_json": "The text is no JSON: a comma too many, a comment, single quotes.",
    "lone_surrogate": "A text holds one half of an escaped pair, which is no character.",
    "too_deep": "More than 32 objects and lists stand inside each other.",
}

PROBLEMS: Final = {
    "unknown_key": "The key is not one of this place.",
    "key_case": "The key is known here in other letters: `tools`, not `Tools`.",
    "duplicate_key": "The key stands here twice.",
    "missing_key": "A key that must be there is not.",
    "wrong_type": "The value is of another JSON type, or a fraction where a whole number must be.",
    "bad_value": "The text is not one of the words of this place, or no path or host pattern.",
    "out_of_range": "The whole number is outside its bounds.",
    "bad_version": 'The version is not `"1"`.',
    "bad_text": "The text is empty, too long, or holds a control character.",
    "bad_id": "The counter is none.",
    "bad_path": "The path is none, or has `[*]` where one value is needed.",
    "bad_name": "The name is empty, too long, or holds a control character.",
    "unknown_operator": "There is no such operator.",
    "bad_regex": "RE2 refuses the pattern, or it has more than 1,000 characters.",
    "number_not_exact": "Computers that hold numbers in 64 bits would see another number.",
    "too_many_rules": "There are more than 5,000 rules.",
}

FINDINGS: Final = {
    "too_many_conditions": "Error. More than 1,000 conditions may apply to one call.",
    "weaker_pattern": "Error. A pattern applies that does not repeat what a wider one asks.",
    "unguarded_optional": "Error or warning. `deny_if` or `approve_if` reads an optional argument "
    "and does not say what happens without it.",
    "impossible_operator": "Error. The operator can never judge an argument of this type.",
    "unknown_tool": "Error or warning. The server has no tool of this name.",
    "unknown_argument": "Error or warning. The tool has no such argument.",
    "constant_predicate": "Warning. By the tool's schema this is never, or always, true.",
    "shadowed_rule": "Warning. The rule applies to no known tool: others come first.",
    "hide_and_rule": "Warning. A hidden tool has a rule, which is never asked.",
    "unreachable_limit": "Warning. A tighter limit is always reached first.",
    "approval_holds_limit": "Warning. A call that waits for a person holds a unit of a short limit.",
    "unguarded_tool": "Warning. A dangerous tool has neither limit nor approval nor condition.",
    "open_default": "Warning. `default` is `allow`, and some tools have no class.",
    "path_in_deny": "Warning. `under_path` in `deny_if` sees neither links nor other spellings.",
    "value_limit_alone": "Warning. A sum is limited, and the number of calls is not.",
    "keyed_limit_alone": "Warning. An agent that chooses the key chooses a fresh limit.",
    "shared_counter": "Warning. Another rule counts here too.",
    "paired_elements": "Warning. Two conditions on one list need not mean the same element.",
    "all_tools_allow": "Warning. `allow` in `all_tools` means nothing.",
    "all_tools_argument": "Warning. `all_tools` reads an argument that some tool does not have.",
    "costly_pattern": "Error. The pattern is so large that judging one text could take seconds.",
    "too_many_patterns": "Error. More than 10,000 patterns like `*a*`, or 1,000 like `a*b*`: names are not "
    "compared with so many, and everything would be refused.",
    "not_all_checked": "Warning. Policy and tools are too large to check all of one against the other.",
}

DECISIONS: Final = {
    "hidden": "A name in `hide` matches the tool.",
    "default_deny": "No rule applies, and `default` is `deny`.",
    "not_listed": "Neither the server nor the policy knows a tool of this name.",
    "no_policy": "The grant has no policy.",
    "malformed": "The arguments are no object.",
    "denied": "An `action`, a `deny_if` or a name in `deny` says so.",
    "requirement_failed": "A `require` is false.",
    "undecidable": "A condition or a limit cannot be judged on these arguments; at a gateway also where some "
    "servers take the name of one for another that a rule reads: it differs only by case, or is `__proto__`.",
    "limit_exceeded": "A limit has no room.",
    "limiter_unavailable": "The limits could not be asked in time.",
    "approval_required": "A person has to agree first.",
    "approval_declined": "A person declined this very call.",
    "approval_expired": "The answer came, or was used, too late.",
}

EFFECTS: Final[Mapping[Effect, str]] = {
    Effect.HIDDEN: "Agents do not see it; every call is denied.",
    Effect.DENIED: "Every call is denied.",
    Effect.NEEDS_APPROVAL: "Every call waits for a person.",
    Effect.CONDITIONAL: "It depends on the arguments.",
    Effect.LIMITED: "Calls are allowed, so many in so long.",
    Effect.ALLOWED: "Every call is allowed.",
}

OPERANDS: Final[Mapping[Operator, str]] = {
    "eq": "any",
    "neq": "any",
    "in": "list",
    "not_in": "list",
    "lt": "number",
    "lte": "number",
    "gt": "number",
    "gte": "number",
    "contains": "any",
    "not_contains": "any",
    "starts_with": "text",
    "ends_with": "text",
    "regex": "RE2 pattern",
    "matches": "RE2 pattern",
    "exists": "true or false",
    "length_lte": "whole number from 0",
    "length_gte": "whole number from 0",
    "under_path": "absolute path",
    "host_in": "list of hosts",
}

LIKENESS: Final[Mapping[Operator, str]] = {
    "eq": "is the same JSON value; numbers by value, nothing converted",
    "neq": "is another value, or missing",
    "in": "is one of the list",
    "not_in": "is none of the list, or missing",
    "lt": "is less",
    "lte": "is at most this",
    "gt": "is greater",
    "gte": "is at least this",
    "contains": "is a text with this in it, or a list with this element",
    "not_contains": "is a text or a list without it, or missing",
    "starts_with": "is a text that begins with it",
    "ends_with": "is a text that ends with it",
    "regex": "is a text with a match anywhere",
    "matches": "is a text that matches as a whole",
    "exists": "is there and not null (true); is missing or null (false)",
    "length_lte": "has at most so many characters, elements or members",
    "length_gte": "has at least so many characters, elements or members",
    "under_path": "is that path or below it, `..` resolved as text",
    "host_in": "is a URL with one of these hosts; `*.example.com` is every name below it",
}
