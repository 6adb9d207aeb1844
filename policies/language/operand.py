"""The `value` of a condition: what each operator takes."""

from typing import Final, get_args

from .document import JsonValue, Operator
from .exact import LARGEST, exact_text, whole_text
from .findings import Pointer
from .hosts import parse_host_pattern
from .json_reader import Members, Node, Number
from .problems import shown
from .shapes import ShapeReader
from .textual_paths import resolve_path

OPERATORS: Final[tuple[Operator, ...]] = get_args(Operator)


def read_operand(reader: ShapeReader, node: Node, at: Pointer, op: Operator | None) -> JsonValue:
    before = len(reader.findings)
    value = _plain(reader, node, at)
    if op is not None and len(reader.findings) == before:
        _check(reader, node, at, op)
    return value


def _plain(reader: ShapeReader, node: Node, at: Pointer) -> JsonValue:
    value = node.value
    if isinstance(value, Number):
        number = exact_text(value.text)
        if number is None:
            message = (
                "Computers that hold numbers in 64 bits would see a different number here. Write a shorter "
                "one."
            )
            reader.found(node.at, "number_not_exact", at, message)
        return number
    if isinstance(value, list):
        return [_plain(reader, element, (at, index)) for index, element in enumerate(value)]
    if not isinstance(value, Members):
        return value
    plain: dict[str, JsonValue] = {}
    for key, key_at, inner in value.all:
        if key in plain:
            reader.repeated(key, key_at, at)
        else:
            plain[key] = _plain(reader, inner, (at, key))
    return plain


def _check(reader: ShapeReader, node: Node, at: Pointer, op: Operator) -> None:
    match op:
        case "eq" | "neq" | "contains" | "not_contains":
            return
        case "in" | "not_in":
            _expect(reader, node, at, list, f'"{op}" takes a list')
        case "lt" | "lte" | "gt" | "gte":
            _expect(reader, node, at, Number, f'"{op}" takes a number')
        case "starts_with" | "ends_with":
            _expect(reader, node, at, str, f'"{op}" takes a text')
        case "exists":
            _expect(reader, node, at, bool, '"exists" takes true or false')
        case "regex" | "matches":
            _check_regex(reader, node, at, op)
        case "length_lte" | "length_gte":
            _check_length(reader, node, at, op)
        case "under_path":
            _check_path(reader, node, at)
        case "host_in":
            _check_hosts(reader, node, at)


def _expect(reader: ShapeReader, node: Node, at: Pointer, kind: type, should: str) -> bool:
    if isinstance(node.value, kind):
        return True
    reader.wrong_type(node, at, should)
    return False


def _check_regex(reader: ShapeReader, node: Node, at: Pointer, op: Operator) -> None:
    pattern = node.value
    if not isinstance(pattern, str):
        reader.wrong_type(node, at, f'"{op}" takes a pattern, a text')
        return
    message = reader.patterns.problem(pattern)
    if message is not None:
        reader.found(node.at, "bad_regex", at, message)


def _check_length(reader: ShapeReader, node: Node, at: Pointer, op: Operator) -> None:
    should = f'"{op}" takes a whole number from 0'
    value = whole_text(node.value.text) if isinstance(node.value, Number) else None
    if value is None:
        reader.wrong_type(node, at, should)
    elif not 0 <= value <= LARGEST:
        reader.found(node.at, "out_of_range", at, f"{should} to {LARGEST}.")


def _check_path(reader: ShapeReader, node: Node, at: Pointer) -> None:
    value = node.value
    if not isinstance(value, str):
        reader.wrong_type(node, at, '"under_path" takes a path, a text like /srv/data')
    elif resolve_path(value) is None:
        message = f"A path begins with / and holds no backslash, like /srv/data; {shown(value)} is not one."
        reader.found(node.at, "bad_value", at, message)


def _check_hosts(reader: ShapeReader, node: Node, at: Pointer) -> None:
    if not isinstance(node.value, list):
        reader.wrong_type(node, at, '"host_in" takes a list of hosts, like ["example.com", "*.example.com"]')
        return
    for index, element in enumerate(node.value):
        if not isinstance(element.value, str):
            reader.wrong_type(element, (at, index), "a host is a text")
        elif parse_host_pattern(element.value) is None:
            message = (
                f"A host is like example.com, *.example.com or [2001:db8::1]; {shown(element.value)} is not "
                "one."
            )
            reader.found(element.at, "bad_value", (at, index), message)
