"""Which resources and prompts open or close."""

from collections.abc import Iterator

from .changes import AccessChange, Direction
from .document import Access, Document
from .sentences import Thing, listed


def access_changes(old: Document, new: Document) -> Iterator[AccessChange]:
    yield from _changes("resource", old, old.resources, new, new.resources)
    yield from _changes("prompt", old, old.prompts, new, new.prompts)


def _changes(
    thing: Thing, old: Document, before: Access | None, new: Document, after: Access | None
) -> Iterator[AccessChange]:
    was, now = before or Access(old.default), after or Access(new.default)
    if was.default != now.default:
        opened = now.default == "allow"
        sentence = f"What no name in the policy matches is {'allowed' if opened else 'denied'} now."
        yield AccessChange(thing, Direction.LOOSER if opened else Direction.TIGHTER, sentence)
    # `allow` matters only where the default denies.
    allowed = (was.allow if was.default == "deny" else (), now.allow if now.default == "deny" else ())
    if was.default == now.default:
        yield from _names(thing, *allowed, Direction.LOOSER, "Allowed now: {}.", "No longer allowed: {}.")
    elif now.default == "deny" and now.allow:
        yield AccessChange(thing, Direction.TIGHTER, f"Of what was allowed there stays: {listed(now.allow)}.")
    yield from _names(
        thing, was.deny, now.deny, Direction.TIGHTER, "Denied now: {}.", "No longer denied: {}."
    )
    if thing == "resource" and (before is None) != (after is None):
        tighter = before is None
        sentence = "URIs with a backslash or a . or .. segment are {} denied.".format(
            "now" if tighter else "no longer"
        )
        yield AccessChange(thing, Direction.TIGHTER if tighter else Direction.LOOSER, sentence)


def _names(
    thing: Thing, was: tuple[str, ...], now: tuple[str, ...], added: Direction, came: str, went: str
) -> Iterator[AccessChange]:
    removed = Direction.TIGHTER if added is Direction.LOOSER else Direction.LOOSER
    new = [name for name in dict.fromkeys(now) if name not in was]
    gone = [name for name in dict.fromkeys(was) if name not in now]
    if new:
        yield AccessChange(thing, added, came.format(listed(new)))
    if gone:
        yield AccessChange(thing, removed, went.format(listed(gone)))
