"""The board of one text with everything on it, ready for a template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from policies.builder.board_view import Beside, BoardView, rule_words, view_board
from policies.builder.card import Card, TextField, card_of
from policies.builder.look import Look
from policies.builder.rows import PROMPTS, RESOURCES, address_of, key_of
from policies.language.block_types import AccessBlock, PolicyBlocks
from policies.language.board import Board, Row, Verb, followed_without, read_board
from policies.language.document import Document, Rule
from policies.language.explain import explain_rule
from policies.language.matching import is_pattern
from policies.language.once import once
from policies.language.place import lines_of
from policies.language.problems import PolicyInvalid
from policies.language.text_edit import Source
from policies.models import PolicyRevision
from policies.outlook import Outlook, facts_in_force, facts_of, known_classes
from servers.models import Tool


@dataclass(frozen=True, slots=True)
class AccessCard:
    """`default`: empty if the section is not written. `source`: its text, if it is not a valid section.

    `allow` and `deny`: one name per line.
    """

    section: str
    key: str
    title: str
    default: str
    allow: str
    deny: str
    words: str
    typable: bool = True
    source: str = ""


@dataclass(frozen=True, slots=True)
class BuilderPage:
    board: BoardView
    card: Card | None
    access: tuple[AccessCard, ...]
    access_opened: bool
    description: TextField
    every_call: str


def page_of(
    text: str, outlook: Outlook, live: PolicyRevision | None, tools: Sequence[Tool], look: Look
) -> BuilderPage | None:
    """Returns None for a text that is not a JSON object."""
    try:
        board = read_board(text, [facts_of(tool) for tool in tools])
    except PolicyInvalid:
        return None
    wrong = [each.pointer for each in outlook.errors]
    odd = [each.pointer for each in outlook.warnings]
    beside = Beside.of(_live_board(live, tools), wrong, odd, tools)
    document = outlook.compiled.document if outlook.compiled else None
    access = _access(board.blocks)
    return BuilderPage(
        board=view_board(board, beside, look),
        card=_card(text, board, tools, look, document),
        access=access,
        access_opened=look.opened in {card.key for card in access},
        description=TextField.of(board.blocks.description),
        every_call=_every_call(board, document),
    )


def _live_board(live: PolicyRevision | None, tools: Sequence[Tool]) -> Board | None:
    if live is None:
        return None
    facts = facts_in_force(live, tools)
    return once("board in force", live.text, lambda: read_board(live.text, facts), known_classes(facts))


def _card(
    text: str, board: Board, tools: Sequence[Tool], look: Look, document: Document | None
) -> Card | None:
    address = address_of(look.opened) if look.opened else None
    rows = (board.all_tools, *board.classes, *board.patterns, *board.tools)
    row = next((row for row in rows if row.address == address), None)
    if row is None:
        return None
    pointer = row.address.pointer
    card = card_of(row, board, tools, _sentences(row, document), _replaces(row, board, tools))
    lines = lines_of(text, pointer) if row.rule is not None else None
    return replace(card, lines=lines, followed=_followed(row, board, tools) if card.can_follow else "")


def _followed(row: Row, board: Board, tools: Sequence[Tool]) -> str:
    """Says what the tool follows without its own rule; empty for a row that is not a single tool."""
    name = row.address.name
    if row.address.section != "tools" or is_pattern(name):
        return ""
    return rule_words(followed_without(board, name, [facts_of(tool) for tool in tools]))


def _sentences(row: Row, document: Document | None) -> list[str]:
    if row.verb is Verb.HIDE:
        return ["Agents do not see it, and every call is denied."]
    if document is None:
        return []
    follows = row.address.section == "tools" and not row.own
    at = row.follows if follows else row.address.pointer
    rule = _rule_at(at, document)
    return explain_rule(rule, at) if rule is not None else []


def _rule_at(at: str, document: Document) -> Rule | None:
    _, section, token = (*at.split("/"), "", "")[:3]
    name = token.replace("~1", "/").replace("~0", "~")
    match section:
        case "all_tools":
            return document.all_tools
        case "classes":
            return document.classes.get(name)
        case "tools":
            return document.tools.get(name)
        case _:
            return Rule(action="deny" if document.default == "deny" else None)


def _replaces(row: Row, board: Board, tools: Sequence[Tool]) -> str:
    """Says which rule this one replaces, or which one the row follows."""
    if row.address.section != "tools":
        return ""
    if not row.own:
        return f"It follows {rule_words(row.follows)}."
    tool_class = next((tool.tool_class for tool in tools if tool.name == row.address.name), "")
    ruled = any(each.own for each in board.classes if each.address.name == tool_class)
    return f"This rule replaces the {tool_class} rule for this tool." if ruled else ""


def _every_call(board: Board, document: Document | None) -> str:
    if board.all_tools.rule is None:
        return "No rule for all tools together."
    if document is None or document.all_tools is None:
        return "A rule for all tools together."
    return " ".join(explain_rule(document.all_tools, "/all_tools"))


def _access(blocks: PolicyBlocks) -> tuple[AccessCard, ...]:
    return (
        _access_card("resources", RESOURCES, "Resources", blocks.resources),
        _access_card("prompts", PROMPTS, "Prompts", blocks.prompts),
    )


def _two(names: Sequence[str]) -> str:
    return ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")


def _access_card(section: str, pointer: str, title: str, block: AccessBlock | Source | None) -> AccessCard:
    if block is None:
        return AccessCard(section, key_of(pointer), title, "", "", "", "as anything else")
    if isinstance(block, Source):
        return AccessCard(
            section, key_of(pointer), title, "", "", "", "not readable", source=block.text[:2000]
        )
    words = "allowed" if block.default == "allow" else "denied"
    exceptions = block.deny if block.default == "allow" else block.allow
    if exceptions:
        words += f" except {_two(exceptions)}"
    if block.default != "allow" and block.allow and block.deny:
        words += f", without {_two(block.deny)}"
    typable = all(TextField.of(name).typable and name.strip() == name for name in (*block.allow, *block.deny))
    allow, deny = "\n".join(block.allow), "\n".join(block.deny)
    return AccessCard(section, key_of(pointer), title, block.default, allow, deny, words, typable)
