"""Removes resources, templates and prompts that a client may not have from any result that lists them.

Such a list is recognized by its shape and parsed as strictly as a list of tools.
"""

import re
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from gateway.protocol.strict_json import Json, encode, parse
from gateway.protocol.tool_list import ListTooLong, any_spelling, items, lowered, results, the_only

Kind: TypeAlias = Literal["resource", "prompt"]

# By key of a result, in lower case: what it lists, and by which member each is named.
_KEYS: Final[dict[str, tuple[Kind, str]]] = {
    "resources": ("resource", "uri"),
    "resourcetemplates": ("resource", "uriTemplate"),
    "prompts": ("prompt", "name"),
}
_NAMES: Final = re.compile("|".join(f'"{any_spelling(key)}"' for key in _KEYS))


def may_hold_things(text: bytes) -> bool:
    return _NAMES.search(lowered(text)) is not None


def without_hidden(
    text: bytes, is_shown: Callable[[Kind, str], bool], *, modern: bool, most: int
) -> bytes | None:
    """The message without the things that are not shown; None if it lists none.

    Raises NotStrict if the message names such a list and has no single meaning, ListTooLong if it names one
    and is longer than `most`.
    """
    if not may_hold_things(text):
        return None
    if len(text) > most:
        raise ListTooLong
    tree = parse(text, max_depth=None)
    changed = [_filter(result, is_shown, modern) for result in results(tree)]
    return encode(tree) if any(changed) else None


def _filter(result: dict[str, Json], is_shown: Callable[[Kind, str], bool], modern: bool) -> bool:
    lists = [key for key, value in result.items() if key.casefold() in _KEYS and isinstance(value, list)]
    for key in lists:
        kind, member = _KEYS[key.casefold()]
        named = [(thing, the_only(thing, member)) for thing in items(result[key])]
        result[key] = [thing for thing, name in named if name is not None and is_shown(kind, name)]
    if lists and (modern or "cacheScope" in result):
        result["cacheScope"] = "private"
    return bool(lists)
