"""The board as it is drawn: groups, rows, cells, and what is folded away."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from policies.builder.look import Look
from policies.builder.rows import id_of, key_of, row_pointer
from policies.language.board import Address, Board, Row, Verb
from policies.language.matching import is_pattern
from servers.models import Tool

GLYPHS: Final[Mapping[Verb, str]] = {
    Verb.ALLOW: "allow",
    Verb.LIMIT: "limit",
    Verb.RULES: "cond",
    Verb.APPROVAL: "ask",
    Verb.DENY: "deny",
    Verb.HIDE: "hide",
}
VERB_WORDS: Final[Mapping[Verb, str]] = {
    Verb.ALLOW: "Allow",
    Verb.LIMIT: "Limit",
    Verb.RULES: "Rules",
    Verb.APPROVAL: "Approval",
    Verb.DENY: "Deny",
    Verb.HIDE: "Hide",
}
# Worst first; the empty name is for tools without a class, which follow the default.
GROUPS: Final = ("Destructive", "Financial", "Execute", "Write", "Read", "")
# A row has six controls: a page of a thousand rows would be slow everywhere.
ROWS_A_PAGE: Final = 150
_NAMED: Final = 3
_FEW: Final = 2
_DEFAULTS: Final = {"(default allow)": Verb.ALLOW, "(default deny)": Verb.DENY}


@dataclass(frozen=True, slots=True)
class Cell:
    verb: Verb
    glyph: str
    words: str
    checked: bool
    was: bool
    can: bool
    pill: str
    ghost: bool
    id: str


@dataclass(frozen=True, slots=True)
class BoardRow:
    key: str
    id: str
    name: str
    address: Address
    verb: Verb
    own: bool
    was: Verb | None
    changed: bool
    said: str
    severity: int
    problems: int
    odd: int
    opened: bool
    pill: str
    is_pattern: bool = False

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Made only when a row is drawn: a page shows a few of thousands of rows."""
        return tuple(self._cell(verb) for verb in Verb)

    @property
    def current(self) -> Cell:
        return self._cell(self.verb)

    def _cell(self, verb: Verb) -> Cell:
        checked = verb is self.verb
        return Cell(
            verb=verb,
            glyph=GLYPHS[verb],
            words=VERB_WORDS[verb],
            checked=checked,
            was=verb is self.was and not checked,
            can=self.address.section != "default" or verb in (Verb.ALLOW, Verb.DENY),
            pill=(self.pill if checked else "") or VERB_WORDS[verb],
            ghost=not self.own,
            id=f"{self.id}-{verb}",
        )

    @property
    def was_words(self) -> str:
        return VERB_WORDS[self.was] if self.was is not None else ""


@dataclass(frozen=True, slots=True)
class Fold:
    """Tools that follow a rule and are not shown one by one."""

    count: int
    names: tuple[str, ...]
    rule: str
    tool_class: str


@dataclass(frozen=True, slots=True)
class Group:
    tool_class: str
    head: BoardRow | None
    count: int
    rows: tuple[BoardRow, ...]
    folds: tuple[Fold, ...]


@dataclass(frozen=True, slots=True)
class BoardView:
    groups: tuple[Group, ...]
    patterns: tuple[BoardRow, ...]
    all_tools: BoardRow
    default: BoardRow
    tools: int
    changed: int
    with_problems: int
    shown: int
    matching: int
    page: int
    pages: int


@dataclass(frozen=True, slots=True)
class Beside:
    """What rows are compared with: the board in force, and where problems are."""

    live: Board | None
    problems: Counter[str]
    odd: Counter[str]
    tools: Mapping[str, Tool]

    @classmethod
    def of(
        cls, live: Board | None, problems: Iterable[str], odd: Iterable[str], tools: Sequence[Tool]
    ) -> Beside:
        rows = Counter(map(row_pointer, problems)), Counter(map(row_pointer, odd))
        return cls(live, *rows, {tool.name: tool for tool in tools})


def view_board(board: Board, beside: Beside, look: Look) -> BoardView:
    draw = _Drawing(board, beside, look)
    tools = [draw.row(row) for row in board.tools]
    patterns = [draw.row(row) for row in board.patterns]
    rest = [draw.row(row) for row in (board.all_tools, *board.classes, board.default)]
    matching = [row for row in (*patterns, *tools) if draw.is_wanted(row)]
    grouped: dict[str, list[BoardRow]] = defaultdict(list)
    for row in matching:
        grouped["*" if row.is_pattern else draw.class_of(row)].append(row)
    shown, folds = draw.folded(grouped)
    ordered = [row for name in ("*", *GROUPS) for row in shown[name]]
    pages = max(1, -(-len(ordered) // ROWS_A_PAGE))
    page = min(look.page, pages)
    kept = {row.key for row in ordered[(page - 1) * ROWS_A_PAGE : page * ROWS_A_PAGE]}
    return BoardView(
        groups=tuple(draw.groups(shown, folds, kept)),
        patterns=tuple(row for row in shown["*"] if row.key in kept),
        all_tools=draw.row(board.all_tools),
        default=draw.row(board.default),
        tools=len(tools),
        changed=sum(row.changed for row in (*tools, *patterns)),
        with_problems=sum(row.problems + row.odd > 0 for row in (*tools, *patterns, *rest)),
        shown=len(kept),
        matching=len(matching),
        page=page,
        pages=pages,
    )


class _Drawing:
    def __init__(self, board: Board, beside: Beside, look: Look) -> None:
        self.board, self.beside, self.look = board, beside, look
        self.live = _by_pointer(beside.live)
        self.sizes = Counter(self._known_class(row) for row in board.tools)
        self.follows = {row.address.pointer: row.follows for row in board.tools}

    def row(self, row: Row) -> BoardRow:
        pointer, own, verb = row.address.pointer, row.own, self._verb(row)
        key = key_of(pointer)
        before = self.live.get(pointer)
        was = self._verb_before(before, row)
        changed = was is not None and (was is not verb or (before is not None and _differ(before, row)))
        tool = self.beside.tools.get(row.address.name) if row.address.section == "tools" else None
        return BoardRow(
            key=key,
            id=id_of(pointer),
            name=row.address.name,
            address=row.address,
            verb=verb,
            own=own,
            was=was if changed and was is not verb else None,
            changed=changed,
            said=_said(row, own, was if changed else None),
            severity=tool.severity if tool else 0,
            problems=self.beside.problems[pointer],
            odd=self.beside.odd[pointer],
            opened=self.look.opened == key,
            pill=row.pill,
            is_pattern=row.address.section == "tools" and is_pattern(row.address.name),
        )

    def _verb(self, row: Row) -> Verb:
        if row.own or row.address.section in ("tools", "default", "all_tools"):
            return row.verb
        return self.board.default.verb

    def _verb_before(self, before: Row | None, row: Row) -> Verb | None:
        if self.beside.live is None:
            return None
        if before is None:
            return self.beside.live.default.verb
        if not before.own and row.address.section == "classes":
            return self.beside.live.default.verb
        return before.verb

    def class_of(self, row: BoardRow) -> str:
        tool = self.beside.tools.get(row.name)
        return tool.tool_class if tool and tool.tool_class in GROUPS else ""

    def _known_class(self, row: Row) -> str:
        tool = self.beside.tools.get(row.address.name)
        return tool.tool_class if tool and tool.tool_class in GROUPS else ""

    def is_wanted(self, row: BoardRow) -> bool:
        if row.opened:
            return True
        if self.look.wanted and self.look.wanted.casefold() not in row.name.casefold():
            return False
        return self.look.show not in ("changed", "problems") or self._is_shown(row)

    def _is_shown(self, row: BoardRow) -> bool:
        """True if the row belongs here for what it holds, whatever its name."""
        if self.look.show == "problems":
            return row.problems + row.odd > 0
        return row.changed

    def folded(
        self, grouped: Mapping[str, list[BoardRow]]
    ) -> tuple[dict[str, list[BoardRow]], dict[str, tuple[Fold, ...]]]:
        shown: dict[str, list[BoardRow]] = {name: [] for name in ("*", *GROUPS)}
        folds: dict[str, tuple[Fold, ...]] = {}
        for name, rows in grouped.items():
            away = [row for row in rows if self._may_fold(row, name)]
            if len(away) <= _FEW:
                away = []
            gone = {row.key for row in away}
            shown[name] = [row for row in rows if row.key not in gone]
            folds[name] = tuple(self._folds(away, name))
        return shown, folds

    def _may_fold(self, row: BoardRow, tool_class: str) -> bool:
        if self.look.show != "exceptions" or self.look.wanted or self.look.unfolded == (tool_class or "none"):
            return False
        return not (row.own or row.changed or row.problems or row.odd or row.opened)

    def _folds(self, rows: Iterable[BoardRow], tool_class: str) -> Iterable[Fold]:
        by_rule: dict[str, list[str]] = defaultdict(list)
        for row in rows:
            by_rule[self.follows[row.address.pointer]].append(row.name)
        for follows, names in by_rule.items():
            few = tuple(names) if len(names) <= _NAMED else ()
            yield Fold(len(names), few, rule_words(follows), tool_class or "none")

    def groups(
        self, shown: Mapping[str, list[BoardRow]], folds: Mapping[str, tuple[Fold, ...]], kept: set[str]
    ) -> Iterable[Group]:
        heads = {row.address.name: self.row(row) for row in self.board.classes}
        for name in GROUPS:
            rows = tuple(row for row in shown[name] if row.key in kept)
            head, away = heads.get(name), folds.get(name, ())
            quiet = bool(self.look.wanted) or self.look.show in ("changed", "problems")
            worth = head is not None and (head.opened or not quiet or self._is_shown(head))
            if rows or away or (worth and head and (self.sizes[name] or head.own)):
                yield Group(name, head, self.sizes[name], rows, away)


def rule_words(follows: str) -> str:
    """Names the rule that a tool follows, given the pointer to it."""
    if follows in _DEFAULTS:
        return "Anything else"
    if follows.startswith("/hide"):
        return "a hidden pattern"
    _, section, token = (*follows.split("/"), "", "")[:3]
    name = token.replace("~1", "/").replace("~0", "~")
    return f"the {name} rule" if section == "classes" else f"the rule for {name}"


def _by_pointer(board: Board | None) -> dict[str, Row]:
    if board is None:
        return {}
    rows = (board.all_tools, *board.classes, *board.patterns, *board.tools, board.default)
    return {row.address.pointer: row for row in rows}


def _differ(before: Row, now: Row) -> bool:
    return (before.pill, before.rule, before.own) != (now.pill, now.rule, now.own)


def _said(row: Row, own: bool, was: Verb | None) -> str:
    """Says what a screen reader adds to the row's name and verb."""
    whose = (
        "own rule" if own else f"follows {rule_words(row.follows)}" if row.follows else "no rule of its own"
    )
    if row.address.section == "default":
        whose = "what no rule names"
    return f"{whose}, live: {VERB_WORDS[was]}" if was is not None else whose
