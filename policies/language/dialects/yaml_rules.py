"""The dialect with a list of `rules` for each tool. Whatever cannot be expressed here denies its tool."""

import re
from typing import Final

from ..document import LARGEST_MAX
from ..json_reader import Number
from ..words import hashed_id, is_id, shorthand_counter
from .notes import NOT_CONVERTED, Notes, Place, assume
from .own_counters import OwnCounter, own_counter
from .source import Data
from .yaml_conditions import convert_condition

_TOP_LEVEL: Final = ("version", "description", "default", "hide", "tools")
_RATE = re.compile(r"([1-9][0-9]*)/(minute|hour|day)\Z")
_READ: Final = ("action", "conditions", "on_deny", "state", "rate_limit")
_DROPPED: Final = {"name": "rule_name", "approval_timeout": "approval_timeout"}
_EVERYTHING: Final = "*"


def convert_yaml(source: dict[str, Data], notes: Notes) -> dict[str, Data]:
    version, default = assume(source, "allow", notes)
    for key in source:
        if key not in _TOP_LEVEL:
            notes.changed.append(((key,), "unknown_key"))
    result: dict[str, Data] = {key: source[key] for key in ("description", "hide") if key in source}
    result |= {"version": version, "default": default}
    hide = source.get("hide")
    for index, name in enumerate(hide if isinstance(hide, list) else []):
        if isinstance(name, str) and "*" in name:
            notes.changed.append((("hide", index), "pattern_now"))
    tools, entries = source.get("tools"), dict[str, Data]()
    for name, entry in tools.items() if isinstance(tools, dict) else ():
        rule = _Entry(name, notes)
        rule.read(entry)
        if name == _EVERYTHING:
            result["all_tools"] = rule.result()
        else:
            rule.name_is_pattern_now(default == "allow")
            entries[name] = rule.result()
    result["tools"] = entries
    return result


class _Entry:
    """One tool's entry while its rules are read in order."""

    def __init__(self, tool: str, notes: Notes) -> None:
        self.tool = tool
        self.at: Place = ("tools", tool)
        self.notes = notes
        self.action: str | None = None
        self.reason: Data = None
        self.require: list[Data] = []
        self.limits: list[Data] = []
        self.counters: dict[str, list[tuple[Place, bool]]] = {}

    def result(self) -> dict[str, Data]:
        parts = {"action": self.action, "reason": self.reason, "require": self.require, "limits": self.limits}
        return {key: value for key, value in parts.items() if value is not None and value != []}

    def name_is_pattern_now(self, only_restricts: bool) -> None:
        if "*" not in self.tool:
            return
        if only_restricts or self.action == "deny":
            self.notes.changed.append((self.at, "pattern_now"))
        else:
            self.not_kept(self.at, "pattern_now")

    # What the entry as a whole becomes

    def not_kept(self, at: Place, code: str) -> None:
        self.notes.not_kept.append((at, code))
        self.deny(NOT_CONVERTED)

    def deny(self, reason: Data) -> None:
        self.action = "deny"
        self.reason = self.reason if self.reason is not None else reason

    # Reading

    def read(self, entry: Data) -> None:
        if entry is None:
            return
        if not isinstance(entry, dict):
            self.not_kept(self.at, "bad_rule")
            return
        for key in entry:
            if key != "rules":
                self.not_kept((*self.at, key), "spend_limit" if key == "spend_limit" else "unknown_key")
        rules = entry.get("rules", [])
        if not isinstance(rules, list):
            self.not_kept((*self.at, "rules"), "bad_rule")
            return
        for index, rule in enumerate(rules):
            at = (*self.at, "rules", index)
            if isinstance(rule, dict):
                self.read_rule(rule, at)
            else:
                self.not_kept(at, "bad_rule")
        self.see_each_counter_is_one_rules()

    def read_rule(self, rule: dict[str, Data], at: Place) -> None:
        for key in rule:
            if key in _DROPPED:
                self.notes.changed.append(((*at, key), _DROPPED[key]))
            elif key not in _READ:
                self.not_kept((*at, key), "spend_limit" if key == "spend_limit" else "unknown_key")
        # In that dialect an empty text means that there is none.
        on_deny = None if rule.get("on_deny") == "" else rule.get("on_deny")
        action = rule.get("action", "evaluate")
        if action not in ("evaluate", "deny", "require_approval"):
            self.not_kept((*at, "action"), "unknown_action")
            return
        if action != "evaluate":
            self.read_action(str(action), on_deny)
        conditions = rule.get("conditions", [])
        used = False
        if not isinstance(conditions, list):
            self.not_kept((*at, "conditions"), "bad_rule")
        elif action != "evaluate":
            if conditions:
                self.notes.changed.append(((*at, "conditions"), "conditions_widened"))
        else:
            used = self.read_conditions(conditions, own_counter(rule.get("state"), self.tool), on_deny, at)
        if "state" in rule:
            self.read_state(rule["state"], used, (*at, "state"))
        if "rate_limit" in rule:
            self.read_rate_limit(rule["rate_limit"], on_deny, (*at, "rate_limit"))

    def read_action(self, action: str, on_deny: Data) -> None:
        if action == "deny" or self.action is None:
            self.action = action
        self.reason = self.reason if self.reason is not None else on_deny

    def read_conditions(
        self, conditions: list[Data], counter: OwnCounter | None, on_deny: Data, at: Place
    ) -> bool:
        """Read the conditions. Return True if a limit came from the rule's own counter."""
        kept: list[Data] = []
        used = False
        for index, condition in enumerate(conditions):
            most = counter.most(condition) if counter else None
            converted = convert_condition(condition)
            if counter is not None and most is not None:
                used = True
                self.limit_by(counter, most, on_deny)
            elif isinstance(converted, str):
                self.not_kept((*at, "conditions", index), converted)
            else:
                kept += converted
        if kept:
            self.require.append(_said({"conditions": kept, "on_deny": on_deny}))
        return used

    def read_state(self, state: Data, used: bool, at: Place) -> None:
        if not used:
            self.notes.changed.append((at, "state_without_limit"))
        name = state.get("counter") if isinstance(state, dict) else None
        if isinstance(name, str):
            self.counters.setdefault(name, []).append((at, used))

    def see_each_counter_is_one_rules(self) -> None:
        """In that dialect every rule adds to it; here a call is charged once, by the largest of them."""
        for rules in self.counters.values():
            if any(used for _, used in rules):
                for at, _ in rules[1:]:
                    self.not_kept(at, "state_reference")

    def limit_by(self, counter: OwnCounter, most: int, on_deny: Data) -> None:
        if most < 1:
            self.deny(on_deny)
            return
        name = f"all.{counter.name}" if self.tool == _EVERYTHING else f"{self.tool}.{counter.name}"
        self.add_limit(
            name if is_id(name) else hashed_id(name), counter.window, most, counter.increment_from, on_deny
        )

    def read_rate_limit(self, rate: Data, on_deny: Data, at: Place) -> None:
        found = _RATE.match(rate) if isinstance(rate, str) else None
        if found is None:
            self.not_kept(at, "rate_limit")
            return
        # So many digits exceed any bound; reading all of them could take long.
        most = int(found.group(1)[:12])
        counter = "all_tools_rate" if self.tool == _EVERYTHING else shorthand_counter(self.tool)
        self.add_limit(counter, found.group(2), most, None, on_deny)

    def add_limit(
        self, counter: str, window: str, most: int, increment_from: str | None, on_deny: Data
    ) -> None:
        limit: dict[str, Data] = {"counter": counter, "window": window}
        limit |= {"max": Number(str(min(most, LARGEST_MAX))), "scope": "server"}
        self.limits.append(_said({**limit, "increment_from": increment_from, "on_deny": on_deny}))


def _said(members: dict[str, Data]) -> dict[str, Data]:
    return {key: value for key, value in members.items() if value is not None}
