"""Does one act of a person in the builder, sent as a form, to the text. Everything else stays as written.

Raises CannotEdit if the act cannot be carried out, PolicyInvalid if the text is not a JSON object.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal

from catalog.classifier.vocabulary import ToolClass
from catalog.recommend import recommended_rule, rule_of_class
from policies.builder.card import arguments_for
from policies.builder.conditions import any_condition, changed_predicate, closed_predicate, fresh_predicate
from policies.builder.fields import Fields
from policies.builder.rows import address_of
from policies.builder.values import read_number
from policies.language.block_types import AccessBlock, LimitBlock, PredicateBlock, PredicateSection, RuleBlock
from policies.language.blocks import read_blocks, read_rule
from policies.language.board import Address, Verb, read_board
from policies.language.board_edit import (
    add_limit,
    add_predicate,
    adjusted,
    change_limit,
    change_predicate,
    follow,
    followed_rule,
    is_closed,
    put_rule,
    put_rules,
    rate_counter,
    remove_limit,
    remove_predicate,
    rule_at,
    set_access,
    set_description,
    set_hidden,
    set_reason,
    set_verb,
    usual_window,
)
from policies.language.canonical import canonical_text
from policies.language.document import WINDOWS
from policies.language.json_reader import Number
from policies.language.matching import NameList
from policies.language.parse import parse_policy
from policies.language.text_edit import CannotEdit
from policies.language.words import is_name, shorthand_counter
from policies.outlook import facts_of
from policies.starts import starts
from servers.classing import classification_of
from servers.models import Tool

# The server's tools are searched for each of them.
MOST_AT_ONCE: Final = 300
_GONE: Final = "That row is not there any more. Look at the policy again."
_DENIALS: Final[Mapping[str, str]] = {
    "Read": "Agents do not read this. Ask a person.",
    "Write": "Changes here are made by people. Ask one of them.",
    "Execute": "Agents run nothing here. Ask a person to do it.",
    "Destructive": "Deleting is done by people. Ask one of them.",
    "Financial": "Money is moved by people. Ask one of them.",
    "": "This is not for agents. Ask a person.",
}
# These verbs keep of a rule what fits them.
_KEEPING: Final = (Verb.LIMIT, Verb.RULES, Verb.APPROVAL)
_SECTIONS: Final[Mapping[str, PredicateSection]] = {
    "require": "require",
    "deny_if": "deny_if",
    "approve_if": "approve_if",
}


Act = Callable[[str, Fields, Sequence[Tool]], str]


def act(text: str, fields: Fields, tools: Sequence[Tool]) -> str:
    """Returns the text after the act that `do` names; unchanged if it names none."""
    known = _ACTS.get(fields.get("do", ""))
    return known(text, fields, tools) if known else text


# Rows


def _address(fields: Fields, key: str = "row") -> Address:
    address = address_of(fields.get(key, ""))
    if address is None or not _can_be_kept(address):
        raise CannotEdit(_GONE)
    return address


def _can_be_kept(address: Address) -> bool:
    """False for half a surrogate pair: a key can name it, but no text can hold it."""
    return all(not "\ud800" <= character <= "\udfff" for character in address.name)


def _verb(text: str, fields: Fields, tools: Sequence[Tool]) -> str:
    return with_verb(text, _address(fields), _read_verb(fields), tools)


def _read_verb(fields: Fields) -> Verb:
    try:
        return Verb(fields.get("verb", ""))
    except ValueError:
        raise CannotEdit("Choose Allow, Limit, Rules, Approval, Deny or Hide.") from None


def with_verb(text: str, address: Address, verb: Verb, tools: Sequence[Tool]) -> str:
    tool_class = _class_of(address, tools)
    text = _begun(text, address, tools) if verb in _KEEPING and address.section == "tools" else text
    rule = rule_at(text, address) if address.section != "default" else RuleBlock()
    return set_verb(
        text,
        address,
        verb,
        recommended=_start_of(address, verb, tools),
        reason=_DENIALS[tool_class] if verb is Verb.DENY and not rule.reason else None,
        tools_of_class=[tool.name for tool in tools if tool.tool_class == address.name],
    )


def _begun(text: str, address: Address, tools: Sequence[Tool]) -> str:
    """Gives a tool the rule that it follows, if it has none: what is set there changes that rule."""
    text = set_hidden(text, address.name, False)
    followed = _followed(text, [address.name], tools).get(address.name)
    return text if followed is None else put_rule(text, address, followed)


def _followed(text: str, names: Collection[str], tools: Sequence[Tool]) -> dict[str, RuleBlock]:
    """Returns the rules that these tools follow, but for those that have their own or let nothing through."""
    board = read_board(text, [facts_of(tool) for tool in tools])
    asked = (row for row in board.tools if row.address.name in names and row.rule is None)
    return {row.address.name: followed_rule(board, row) for row in asked if not is_closed(row, board)}


def _class_of(address: Address, tools: Sequence[Tool]) -> str:
    if address.section == "classes":
        return address.name
    return next((tool.tool_class for tool in tools if tool.name == address.name), "")


def _start_of(address: Address, verb: Verb, tools: Sequence[Tool]) -> RuleBlock | None:
    """Returns the rule that Limit or Rules begins with.

    Rules begins with a requirement that no value meets: until the row says which do, every call is denied.
    """
    if verb is Verb.RULES:
        predicate = closed_predicate(arguments_for(address, tools))
        return RuleBlock(require=(predicate,)) if predicate else None
    if verb is not Verb.LIMIT or address.section not in ("tools", "classes"):
        return None
    tool_class = _class_of(address, tools)
    counter = "{tool}_rate" if address.section == "classes" else shorthand_counter(address.name)
    rule = rule_of_class(ToolClass(tool_class), counter) if tool_class else {}
    return read_rule(json.dumps(rule)) if rule.get("limits") else None


def _bulk(text: str, fields: Fields, tools: Sequence[Tool]) -> str:
    """Changes all rows at once: a text of thousands of rules is read once, not once for each row."""
    rows = _chosen(fields.getlist("rows"), tools)
    what = fields.get("verb", "")
    verb = None if what in ("follow", "recommended") else _read_verb(fields)
    blocks = read_blocks(text)
    rules, hide = dict(blocks.tools or {}), dict.fromkeys(blocks.hide)
    names = {address.name for address in rows}
    unhidden = put_rules(text, rules, [name for name in hide if name not in names])
    followed = _followed(unhidden, names, tools) if verb in _KEEPING else {}
    for address in rows:
        if verb is Verb.HIDE:
            hide[address.name] = None
            continue
        hide.pop(address.name, None)
        if what == "follow":
            rules.pop(address.name, None)
        else:
            old = rules.get(address.name, followed.get(address.name))
            rules[address.name] = _of_many(old if isinstance(old, RuleBlock) else None, address, verb, tools)
    _see_none_is_hidden(() if verb is Verb.HIDE or what == "follow" else rows, hide)
    return put_rules(text, rules, [*hide])


def _of_many(old: RuleBlock | None, address: Address, verb: Verb | None, tools: Sequence[Tool]) -> RuleBlock:
    if verb is None:
        return _recommended(address, tools)
    rule = old or RuleBlock()
    reason = _DENIALS[_class_of(address, tools)] if verb is Verb.DENY and not rule.reason else None
    return adjusted(rule, address, verb, _start_of(address, verb, tools), reason)


def _see_none_is_hidden(rows: Iterable[Address], hide: Iterable[str]) -> None:
    names = [*hide]
    hidden = NameList.of(names)
    for address in rows:
        place = hidden.first_match(address.name)
        if place is not None:
            raise CannotEdit(f"The pattern {names[place]} in hide covers {address.name}. Take it out first.")


def _chosen(keys: Iterable[str], tools: Sequence[Tool]) -> list[Address]:
    """A chosen class stands for all its tools."""
    chosen: dict[Address, None] = {}
    for key in keys:
        address = address_of(key)
        if address is not None and address.section == "classes":
            chosen |= {Address("tools", tool.name): None for tool in tools if tool.tool_class == address.name}
        elif address is not None and address.section == "tools" and _can_be_kept(address):
            chosen[address] = None
    if not chosen:
        raise CannotEdit("Choose the tools first: tick the boxes beside their names.")
    if len(chosen) > MOST_AT_ONCE:
        raise CannotEdit(f"At most {MOST_AT_ONCE} tools are changed at once. Set their class instead.")
    return list(chosen)


def _recommended(address: Address, tools: Sequence[Tool]) -> RuleBlock:
    tool = next((tool for tool in tools if tool.name == address.name), None)
    if tool is None:
        raise CannotEdit(f"{address.name} is not a tool of this server, so nothing is recommended for it.")
    return read_rule(json.dumps(recommended_rule(tool.name, classification_of(tool))))


def _follow(text: str, fields: Fields, tools: Sequence[Tool]) -> str:
    return follow(text, _address(fields))


def _add_row(text: str, fields: Fields, tools: Sequence[Tool]) -> str:
    """Adds a rule for a name or a pattern. It begins as deny: adding a row must not open anything."""
    name = fields.get("name", "").strip()
    if not is_name(name):
        raise CannotEdit("Give the name of a tool, or a pattern like get_*, of 1 to 256 characters.")
    if name in (read_blocks(text).tools or {}):
        raise CannotEdit(f"There is already a rule for {name}.")
    return put_rule(text, Address("tools", name), RuleBlock(action="deny", reason=_DENIALS[""]))


# Conditions


def _section(fields: Fields) -> PredicateSection:
    section = _SECTIONS.get(fields.get("section", ""))
    if section is None:
        raise CannotEdit(_GONE)
    return section


def _index(fields: Fields) -> int:
    index = fields.get("index", "")
    if not (index.isascii() and index.isdigit() and len(index) < 7):
        raise CannotEdit(_GONE)
    return int(index)


def _predicate(text: str, fields: Fields, tools: Sequence[Tool]) -> str:
    address, section, index = _address(fields), _section(fields), _index(fields)
    there = rule_at(text, address).predicates(section)
    if index >= len(there) or not isinstance(old := there[index], PredicateBlock):
        raise CannotEdit(_GONE)
    new = changed_predicate(old, fields, arguments_for(address, tools))
    return change_predicate(text, address, section, index, new)


def _predicate_add(text: str, fields: Fields, tools: Sequence[Tool]) -> str:
    address = _address(fields)
    text = _written_out(text, address, tools)
    predicate = fresh_predicate(arguments_for(address, tools))
    if predicate is None:
        predicate = PredicateBlock((any_condition(),))
    return add_predicate(text, address, _section(fields), predicate)


def _written_out(text: str, address: Address, tools: Sequence[Tool]) -> str:
    """Gives the row the rule that it follows, if it has none: what is added must not take anything away."""
    board = read_board(text, [facts_of(tool) for tool in tools])
    row = next(
        (row for row in (*board.classes, *board.patterns, *board.tools) if row.address == address), None
    )
    if row is None or row.rule is not None:
        return text
    return put_rule(text, address, followed_rule(board, row))


def _predicate_drop(text: str, fields: Fields, tools: Sequence[Tool]) -> str:
    return remove_predicate(text, _address(fields), _section(fields), _index(fields))


def _reason(text: str, fields: Fields, tools: Sequence[Tool]) -> str:
    address, typed = _address(fields), fields.get("reason", "")
    if typed == (rule_at(text, address).reason or ""):
        return text
    return set_reason(text, address, typed.strip() or None)


# Limits


def _limit(text: str, fields: Fields, tools: Sequence[Tool]) -> str:
    address, index = _address(fields), _index(fields)
    rule = rule_at(text, address)
    if index == len(rule.limits) and rule.rate_limit is not None:
        most = _number(fields.get("max", ""), rule.rate_limit.max)
        window = _window(fields.get("window", ""), rule.rate_limit.window)
        if fields.get("scope", "grant") == "grant" and not fields.get("write_out", ""):
            rate = replace(rule.rate_limit, max=most, window=window)
            return put_rule(text, address, replace(rule, rate_limit=rate))
        written = LimitBlock(rate_counter(address), window, most, fields.get("scope", "grant"))
        return put_rule(text, address, replace(rule, rate_limit=None, limits=(*rule.limits, written)))
    if index >= len(rule.limits) or not isinstance(old := rule.limits[index], LimitBlock):
        raise CannotEdit(_GONE)
    return change_limit(text, address, index, _changed_limit(old, fields))


def _changed_limit(old: LimitBlock, fields: Fields) -> LimitBlock:
    def said(key: str, before: str | None) -> str | None:
        typed = fields.get(key, before or "")
        return before if typed == (before or "") else typed.strip() or None

    return LimitBlock(
        counter=said("counter", old.counter) or old.counter,
        window=_window(fields.get("window", ""), old.window),
        max=_number(fields.get("max", ""), old.max),
        scope=fields.get("scope", old.scope),
        key=said("key", old.key),
        increment_from=said("increment_from", old.increment_from),
        on_deny=said("on_deny", old.on_deny),
    )


def _number(text: str, old: Number) -> Number:
    return old if text == old.text else read_number(text)


def _window(text: str, old: str | Number) -> str | Number:
    """Keeps the spelling of a window that was not touched: a minute may be written as 60."""
    before = old.text if isinstance(old, Number) else old
    if text == before or (isinstance(old, Number) and before == str(WINDOWS.get(text))):
        return old
    return text if text in WINDOWS else read_number(text)


def _limit_add(text: str, fields: Fields, tools: Sequence[Tool]) -> str:
    address = _address(fields)
    text = _written_out(text, address, tools)
    rule = rule_at(text, address)
    taken = {limit.counter for limit in rule.limits if isinstance(limit, LimitBlock)}
    if rule.rate_limit is not None:
        taken.add(rate_counter(address))
    if address.section == "tools":
        taken = {counter.replace("{tool}", address.name) for counter in taken}
    base = "{tool}_rate" if address.section == "classes" else "all_tools_rate"
    base = shorthand_counter(address.name) if address.section == "tools" else base
    counter = next(name for name in (base, *(f"{base}_{n}" for n in range(2, 99))) if name not in taken)
    return add_limit(text, address, LimitBlock(counter, usual_window(rule), Number("30"), "grant"))


def _limit_drop(text: str, fields: Fields, tools: Sequence[Tool]) -> str:
    return remove_limit(text, _address(fields), _index(fields))


# The rest


def _access(text: str, fields: Fields, tools: Sequence[Tool]) -> str:
    section = fields.get("section", "")
    if section not in ("resources", "prompts"):
        raise CannotEdit(_GONE)
    which: Literal["resources", "prompts"] = "resources" if section == "resources" else "prompts"
    default = fields.get("default", "")
    if default not in ("allow", "deny"):
        return set_access(text, which, None)
    old = read_blocks(text).resources if which == "resources" else read_blocks(text).prompts
    before = old if isinstance(old, AccessBlock) else AccessBlock(default)
    allow, deny = _lines(fields, "allow", before.allow), _lines(fields, "deny", before.deny)
    return set_access(text, which, AccessBlock(default, allow, deny, before.extra))


def _lines(fields: Fields, key: str, before: tuple[str, ...]) -> tuple[str, ...]:
    """Names that no field can hold are not sent, and stay."""
    sent = fields.getlist(key)
    if not sent:
        return before
    return tuple(line.strip() for line in sent[-1].replace("\r\n", "\n").split("\n") if line.strip())


def _description(text: str, fields: Fields, tools: Sequence[Tool]) -> str:
    typed = fields.get("description", "")
    if typed == (read_blocks(text).description or ""):
        return text
    return set_description(text, typed.strip() or None)


def _tidy(text: str, fields: Fields, tools: Sequence[Tool]) -> str:
    return canonical_text(parse_policy(text))


def _start(text: str, fields: Fields, tools: Sequence[Tool]) -> str:
    wanted = fields.get("start", "")
    found = next((start.document for start in starts(tools) if start.key == wanted), None)
    if found is None:
        raise CannotEdit("Choose one of the starts.")
    return found


def _text(text: str, fields: Fields, tools: Sequence[Tool]) -> str:
    """Replaces the whole text: undo, redo, and going back to the version that could be read."""
    return fields.get("text", text).replace("\r\n", "\n")


_ACTS: Final[Mapping[str, Act]] = {
    "verb": _verb,
    "bulk": _bulk,
    "follow": _follow,
    "add-row": _add_row,
    "predicate": _predicate,
    "predicate-add": _predicate_add,
    "predicate-drop": _predicate_drop,
    "reason": _reason,
    "limit": _limit,
    "limit-add": _limit_add,
    "limit-drop": _limit_drop,
    "access": _access,
    "description": _description,
    "tidy": _tidy,
    "start": _start,
    "text": _text,
}
