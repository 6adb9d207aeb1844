"""The meaning of every code, in a sentence each. The reference is generated from these."""

from collections.abc import Mapping
from typing import Final

from .document import Operator
from .effects import Effect

TEXT_PROBLEMS: Final = {
    "too_large": "The text has more than 1,048,576 bytes.",
    "bad_encoding": "The text is not UTF-8.",
    "bom": "The text begins with a byte order mark.",
    "bad_json": "The text is not JSON: a comma too many, a comment, single quotes.",
    "lone_surrogate": "A text contains half of an escaped surrogate pair, which is not a character.",
    "too_deep": "Objects and lists are nested more than 32 deep.",
}

PROBLEMS: Final = {
    "unknown_key": "There is no such key in this place.",
    "key_case": "The key is known here in another case: `tools`, not `Tools`.",
    "duplicate_key": "The key appears here twice.",
    "missing_key": "A required key is missing.",
    "wrong_type": "The value has the wrong JSON type, or is a fraction where a whole number is required.",
    "bad_value": "The text is not one of the words allowed here, or not a valid path or host pattern.",
    "out_of_range": "The whole number is outside its bounds.",
    "bad_version": 'The version is not `"1"`.',
    "bad_text": "The text is empty, too long, or holds a control character.",
    "bad_id": "The counter's name is not valid.",
    "bad_path": "The path is not valid, or has `[*]` where a single value is needed.",
    "bad_name": "The name is empty, too long, or holds a control character.",
    "unknown_operator": "There is no such operator.",
    "bad_regex": "RE2 refuses the pattern, or it has more than 1,000 characters.",
    "number_not_exact": "A program that holds numbers in 64 bits would read a different number.",
    "too_many_rules": "There are more than 5,000 rules.",
}

FINDINGS: Final = {
    "too_many_conditions": "Error. More than 1,000 conditions may apply to one call.",
    "weaker_pattern": "Error. A pattern replaces a wider one and does not repeat what that one demands.",
    "unguarded_optional": "Error or warning. `deny_if` or `approve_if` reads an optional argument "
    "and does not say what happens without it.",
    "impossible_operator": "Error or warning. The operator or the limit can never read an argument of this "
    "type. A warning where it can in other tools of the same rule.",
    "unknown_tool": "Error or warning. The server has no tool of this name.",
    "unknown_argument": "Error or warning. The tool has no such argument, or no such part of one.",
    "other_type": "Warning. The argument may also be of another type: the same value, which is never equal, "
    "or one that the operator cannot judge.",
    "constant_predicate": "Warning. According to the tool's schema this is never, or always, true.",
    "empty_value": "Warning. The value is empty: the condition holds for everything that it could compare, "
    "or for nothing.",
    "shadowed_rule": "Warning. The rule applies to no known tool: others come first.",
    "hide_and_rule": "Warning. A hidden tool has a rule, which is never applied.",
    "unreachable_limit": "Warning. A tighter limit is always reached first.",
    "approval_holds_limit": "Warning. A waiting call takes up room in a limit with a short window.",
    "unguarded_tool": "Warning. A dangerous tool has neither limit nor approval nor condition.",
    "approval_dropped": "Warning. A tool's class asks a person; its own rule does not say whether it does.",
    "open_default": "Warning. `default` is `allow`, and some tools have no class.",
    "path_in_deny": "Warning. `under_path` in `deny_if` does not see through links or other spellings.",
    "value_limit_alone": "Warning. A sum is limited, but the number of calls is not.",
    "keyed_limit_alone": "Warning. An agent that can choose the key can choose a fresh limit.",
    "shared_counter": "Warning. Another rule counts here too.",
    "paired_elements": "Warning. Two conditions on one list may be met by different elements.",
    "all_tools_allow": "Warning. `allow` in `all_tools` has no effect.",
    "all_tools_argument": "Warning. `all_tools` reads an argument that some tool does not have.",
    "costly_pattern": "Error. The pattern is so large that judging one text could take seconds.",
    "too_many_patterns": "Error. More than 10,000 patterns like `*a*`, or 1,000 like `a*b*`: names are not "
    "compared with so many, so everything would be refused.",
    "not_all_checked": "Warning. Policy and tools are too many to check all of one against the other.",
}

DECISIONS: Final = {
    "hidden": "A name in `hide` matches the tool.",
    "default_deny": "No rule applies, and `default` is `deny`.",
    "not_listed": "Neither the server nor the policy names a tool like this.",
    "no_policy": "The grant has no policy.",
    "malformed": "The arguments are not an object.",
    "denied": "An `action`, a `deny_if` or a name in `deny` says so.",
    "requirement_failed": "A `require` is false.",
    "undecidable": "A condition or a limit cannot be judged on these arguments. At a gateway also: some "
    "servers would take an argument for another one that a rule reads (its name differs only by case, or is "
    "`__proto__`).",
    "limit_exceeded": "A limit has no room.",
    "limiter_unavailable": "The limits could not be checked in time.",
    "approval_required": "A person has to agree first.",
    "approval_declined": "A person declined this very call.",
    "approval_expired": "The answer came, or was used, too late.",
}

EFFECTS: Final[Mapping[Effect, str]] = {
    Effect.HIDDEN: "Agents do not see it; every call is denied.",
    Effect.DENIED: "Every call is denied.",
    Effect.NEEDS_APPROVAL: "Every call waits for a person.",
    Effect.CONDITIONAL: "It depends on the arguments.",
    Effect.LIMITED: "Calls are allowed up to a limit.",
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
    "contains": "is a text that contains this, or a list with this element",
    "not_contains": "is a text or a list without it, or missing",
    "starts_with": "is a text that begins with it",
    "ends_with": "is a text that ends with it",
    "regex": "is a text with a match anywhere",
    "matches": "is a text that matches as a whole",
    "exists": "is there and not null (true); is missing or null (false)",
    "length_lte": "has at most this many characters, elements or members",
    "length_gte": "has at least this many characters, elements or members",
    "under_path": "is that path or below it, `..` resolved as text",
    "host_in": "is a URL with one of these hosts; `*.example.com` stands for every name below it",
}
