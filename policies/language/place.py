"""Where in a document a rule stands: for showing the very lines that decided."""

from json import JSONDecoder

from policies.language.json_reader import Members, Node, TextError, read_json


def lines_of(text: str, pointer: str) -> tuple[int, int] | None:
    """First and last line, from 1, of what an RFC 6901 pointer names, its key included; None: nothing."""
    try:
        node, at = read_json(text), 0
    except TextError:
        return None
    for step in pointer.split("/")[1:]:
        found = _child(node, step.replace("~1", "/").replace("~0", "~"))
        if found is None:
            return None
        node, at = found
    _, end = JSONDecoder().raw_decode(text, node.at)
    return text.count("\n", 0, at) + 1, text.count("\n", 0, end) + 1


def nearest_place(text: str, pointer: str) -> tuple[int, int]:
    """Line and column, from 1, of what the pointer names, or of the nearest thing around it.

    A pointer into the canonical form may name what the text spells as a shorthand.
    """
    try:
        node, at = read_json(text), 0
    except TextError:
        return 1, 1
    for step in pointer.split("/")[1:]:
        found = _child(node, step.replace("~1", "/").replace("~0", "~"))
        if found is None:
            break
        node, at = found
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def _child(node: Node, step: str) -> tuple[Node, int] | None:
    value = node.value
    if isinstance(value, Members):
        return next(((member.node, member.at) for member in value.all if member.key == step), None)
    if isinstance(value, list) and step.isdecimal() and int(step) < len(value):
        element = value[int(step)]
        return element, element.at
    return None
