"""One module per word of the command line. Each adds itself with `add_to`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol, TypeAlias

from policylayer.client import Refused

ONE_A_LINE: Final = "one JSON object a line"


class Named(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...


Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def verb(
    verbs: Verbs, name: str, run: Callable[..., int], about: str, *, without_login: bool = False
) -> argparse.ArgumentParser:
    made = verbs.add_parser(name, help=about, description=about[:1].upper() + about[1:] + ".")
    made.set_defaults(run=run, without_login=without_login)
    return made


def group(verbs: Verbs, name: str, about: str) -> Any:
    made = verbs.add_parser(name, help=about, description=about[:1].upper() + about[1:] + ".")
    return made.add_subparsers(metavar="COMMAND", required=True)


def names(found: Iterable[Named]) -> dict[str, str]:
    """Returns names by id. Empty if the key may not read them; ids are shown then."""
    try:
        return {one.id: one.name for one in found}
    except Refused:
        return {}


@contextmanager
def naming(kind: str, wanted: str) -> Iterator[None]:
    """Says which thing was not found, by its kind and name: the API does not."""
    try:
        yield
    except Refused as refused:
        if refused.kind != "not_found":
            raise
        said = f"There is no {kind} {wanted}. See: policylayer {kind}s list"
        raise Refused(refused.status, refused.kind, said) from None
