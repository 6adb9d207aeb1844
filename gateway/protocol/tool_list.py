"""Removes tools that a client may not see from any result with a list of tools, recognized by its shape.

An answer that does not name `tools` is not parsed at all. One that does is parsed as strictly as a request:
an answer that two clients could read in two ways would show one of them what is hidden from the other.
"""

import re
from collections.abc import Callable
from typing import Final

from gateway.protocol.strict_json import Json, encode, parse

# Any spelling of the key, escaped or in another case: some clients ignore the case of keys.
_T: Final = r"t|\\u00[57]4"
_O: Final = r"o|\\u00[46]f"
_L: Final = r"l|\\u00[46]c"
_S: Final = "s|\xc5\xbf|" + r"\\u00[57]3|\\u017f"
_MOST_BYTES: Final = 2_097_152
LONGEST_NAME: Final = len(rb'"\u0074\u006f\u006f\u006c\u0073"')
_NAMES_TOOLS: Final = re.compile('"' + "".join(f"(?:{one})" for one in (_T, _O, _O, _L, _S)) + '"')
# The first byte of a long s (U+017F): without it and `\u`, lower() leaves only one spelling.
_OF_LONG_S: Final = "\xc5"


# The usual keys of a tool, none of which is another spelling of "name".
_OF_TOOLS: Final = frozenset(
    {
        "name",
        "title",
        "description",
        "inputSchema",
        "outputSchema",
        "annotations",
        "icons",
        "execution",
        "_meta",
    }
)


class ListTooLong(Exception):  # noqa: N818
    pass


def lowered(text: bytes) -> str:
    """The text to search in: byte for byte, A to Z in lower case. Searching a str costs half as much."""
    return text.lower().decode("latin-1")


def may_hold_tools(text: bytes) -> bool:
    return names_tools(lowered(text))


def names_tools(seen: str) -> bool:
    """Takes a text as lowered() returns it."""
    if _OF_LONG_S in seen or "\\u" in seen:
        return _NAMES_TOOLS.search(seen) is not None
    return '"tools"' in seen


def filtered(
    text: bytes,
    is_shown: Callable[[str], bool],
    *,
    modern: bool,
    most: int = _MOST_BYTES,
    look: Callable[[list[Json], bool], None] | None = None,
) -> bytes | None:
    """The message without the tools that are not shown; None if it holds no list of tools.

    `look` gets every list before it is filtered, and whether it is the last page.

    Raises NotStrict if the message names `tools` and has no single meaning, ListTooLong if it names them and
    is longer than `most`.
    """
    if not may_hold_tools(text):
        return None
    if len(text) > most:
        raise ListTooLong
    # The length bounds the values and the parser the depth; what matters is that it has one meaning.
    tree = parse(text, max_depth=None)
    changed = [_filter(result, is_shown, modern, look) for result in _results(tree)]
    return encode(tree) if any(changed) else None


def _results(tree: Json) -> list[dict[str, Json]]:
    """The results of one message, or of each in a batch; some clients ignore the case of this key, too."""
    messages = [one for one in (tree if isinstance(tree, list) else [tree]) if isinstance(one, dict)]
    found = [value for one in messages for key, value in one.items() if key.casefold() == "result"]
    return [result for result in found if isinstance(result, dict)]


def _filter(
    result: dict[str, Json],
    is_shown: Callable[[str], bool],
    modern: bool,
    look: Callable[[list[Json], bool], None] | None,
) -> bool:
    lists = [key for key, value in result.items() if key.casefold() == "tools" and isinstance(value, list)]
    if look is not None:
        for key in lists:
            look(_items(result[key]), result.get("nextCursor") is None)
    for key in lists:
        result[key] = [tool for tool in _items(result[key]) if _shown(tool, is_shown)]
    if lists and (modern or "cacheScope" in result):
        result["cacheScope"] = "private"
    return bool(lists)


def _items(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _shown(tool: Json, is_shown: Callable[[str], bool]) -> bool:
    if not isinstance(tool, dict):
        return False
    if _OF_TOOLS.issuperset(tool):
        name = tool.get("name")
        return isinstance(name, str) and is_shown(name)
    names = [value for key, value in tool.items() if key.casefold() == "name"]
    # Named in two spellings, it would be one tool to some clients and another to others.
    return len(names) == 1 and isinstance(names[0], str) and "name" in tool and is_shown(names[0])
