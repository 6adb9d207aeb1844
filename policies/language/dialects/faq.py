"""The dialect that the answers on the tool pages teach: our grammar, with `validate` and session scopes."""

from collections.abc import Mapping

from ..compile import ToolFacts
from ..matching import is_pattern
from ..paths import member_path
from .notes import NOT_CONVERTED, Notes, Place, assume
from .source import Data


def convert_faq(source: dict[str, Data], tools: Mapping[str, ToolFacts], notes: Notes) -> dict[str, Data]:
    version, default = assume(source, "deny", notes)
    result: dict[str, Data] = {**source, "version": version, "default": default}
    if "all_tools" in source:
        result["all_tools"] = _scopes(source["all_tools"], ("all_tools",), notes)
    for section in ("tools", "classes"):
        entries = source.get(section)
        if isinstance(entries, dict):
            result[section] = {
                name: _entry(name, entry, (section, name), tools, notes) for name, entry in entries.items()
            }
    return result


def _entry(name: str, entry: Data, at: Place, tools: Mapping[str, ToolFacts], notes: Notes) -> Data:
    if at[0] != "tools" or not isinstance(entry, dict) or "validate" not in entry:
        return _scopes(entry, at, notes)
    added = _required(entry["validate"], tools.get(name))
    if isinstance(added, str):
        notes.not_kept.append(((*at, "validate"), added))
        return {"action": "deny", "reason": entry.get("reason", NOT_CONVERTED)}
    rule = {key: value for key, value in entry.items() if key != "validate"}
    require = rule.get("require", [])
    if added and isinstance(require, list):
        rule["require"] = [*require, *added]
    return _scopes(rule, at, notes)


def _required(validate: Data, tool: ToolFacts | None) -> list[Data] | str:
    """Return the predicates that mean the same, or the code of why there are none."""
    if validate == {"required_args": False}:
        return []
    if validate != {"required_args": True}:
        return "validate_unknown"
    # A pattern has no schema, even if a tool has it as its name.
    schema = tool.input_schema if tool and not is_pattern(tool.name) else None
    required = None if schema is None else schema.get("required", [])
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        return "validate_without_schema"
    return [{"conditions": [{"path": member_path(name), "op": "exists", "value": True}]} for name in required]


def _scopes(rule: Data, at: Place, notes: Notes) -> Data:
    limits = rule.get("limits") if isinstance(rule, dict) else None
    if not isinstance(rule, dict) or not isinstance(limits, list):
        return rule
    return {
        **rule,
        "limits": [_scope(limit, (*at, "limits", index), notes) for index, limit in enumerate(limits)],
    }


def _scope(limit: Data, at: Place, notes: Notes) -> Data:
    if not isinstance(limit, dict) or limit.get("scope") != "session":
        return limit
    notes.changed.append(((*at, "scope"), "session_scope"))
    return {**limit, "scope": "grant"}
