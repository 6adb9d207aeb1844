"""Chooses the tools that pages show as examples: once per change of the index, not for every visitor."""

from __future__ import annotations

from typing import Final

from django.db.models import Case, QuerySet, Value, When
from django.db.models.functions import Length

from catalog.models import CatalogTool

MOST_OF_A_PATTERN: Final = 6
# How many of each class the home page shows, worst first.
HOME: Final = {"Financial": 1, "Destructive": 2, "Execute": 1, "Write": 1, "Read": 1}
# A name that begins with one of these says what it does even to someone who has never heard of its server.
_PLAIN: Final = {
    "Financial": "create|pay|refund|send",
    "Destructive": "delete|drop",
    "Execute": "execute|run",
    "Write": "create|send",
    "Read": "list|search",
}
_LOOKED_AT: Final = 200
_SIGNALS: Final = {
    "credential-leaks": "secret_result",
    "token-misuse": "credentials",
    "free-form-execution": "free_form_command",
    "data-exfiltration": "outbound_message",
}
_CLASSES: Final = {"destructive-autonomy": "Destructive", "runaway-loops": "Execute", "rug-pull": "Execute"}
_OTHERS: Final = "Write"


def picks() -> dict[str, list[int]]:
    """Tools by page: `home`, each attack pattern, and `others` for patterns that want none in particular."""
    tools = CatalogTool.objects.filter(removed_at=None, search__isnull=False)
    found = {"home": _for_home(tools), "others": _worst(tools.filter(tool_class=_OTHERS))}
    found |= {key: _worst(tools.filter(signals__contains=[signal])) for key, signal in _SIGNALS.items()}
    found |= {key: _worst(tools.filter(tool_class=tool_class)) for key, tool_class in _CLASSES.items()}
    return found


def _worst(tools: QuerySet[CatalogTool]) -> list[int]:
    """The worst tools, each name once: the same tool on three servers is one example."""
    ordered = tools.order_by("-severity", "name_key", "id").values_list("name_key", "pk")
    first: dict[str, int] = {}
    for name, key in ordered[:_LOOKED_AT]:
        first.setdefault(name, key)
    return list(first.values())[:MOST_OF_A_PATTERN]


def _for_home(tools: QuerySet[CatalogTool]) -> list[int]:
    """The surest of each class, and of those the plainest names; each from a different server if possible."""
    found: list[int] = []
    servers: set[int] = set()
    for tool_class, most in HOME.items():
        surest = tools.filter(tool_class=tool_class, confidence__gte=0.9, name_key__contains="_")
        is_plain = When(name__regex=f"^({_PLAIN[tool_class]})(_[a-z]+){{1,2}}$", then=Value(0))
        plainest = (Case(is_plain, default=Value(1)), "-severity", Length("name"), "id")
        candidates = list(surest.order_by(*plainest).values_list("pk", "server_id")[:_LOOKED_AT])
        for _ in range(min(most, len(candidates))):
            pick = min(candidates, key=lambda one: one[1] in servers)  # first of a new server, else first
            candidates.remove(pick)
            found.append(pick[0])
            servers.add(pick[1])
    return found
