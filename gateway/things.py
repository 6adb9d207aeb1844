"""Resources and prompts: what a policy says of one, beyond its name, and which of a list a client may see."""

from collections.abc import Callable
from typing import Final

from gateway.protocol.thing_list import Kind
from gateway.protocol.tool_list import ListTooLong
from gateway.protocol.uris import has_another_spelling, is_read_in_part
from policies.language.compile import CompiledPolicy
from policies.language.decide import decide
from policies.language.decision import Outcome, PromptGet, ResourceRead
from policies.language.offloading import access_nanoseconds
from policies.language.respelt import reading

_LONGEST_LOOK_UP: Final = 1_000_000
# By an upper estimate: a list that would take longer to judge is not passed on.
_LONGEST_LIST: Final = 200_000_000


def may_be_denied_otherwise(
    compiled: CompiledPolicy | None, thing: ResourceRead | PromptGet, *, much: bool
) -> bool:
    """Names are compared as they are written, but the server may read this as another spelling of one that is
    denied or is not among the allowed. `much`: there is more than may be read while others wait."""
    if compiled is None or not isinstance(thing, ResourceRead):
        return False
    access = compiled.resources
    if access is None:
        return False
    if is_read_in_part(thing.uri):
        return True
    if access.deny_respelt is None:
        return False
    if much or has_another_spelling(thing.uri):
        return True
    denied, uri = access.deny_respelt, reading(thing.uri)
    return denied.index.nanoseconds(len(uri)) > _LONGEST_LOOK_UP or denied.first_match(uri) is not None


def hides_things(compiled: CompiledPolicy | None) -> bool:
    """Return whether there is any resource or prompt that the policy does not allow."""
    if compiled is None:
        return True
    accesses = (compiled.resources, compiled.prompts)
    defaults = [compiled.document.default if access is None else access.default for access in accesses]
    # Also without a name that is denied: one with a dot segment, say, is.
    return "deny" in defaults or any(accesses)


def shown_by(compiled: CompiledPolicy | None) -> Callable[[Kind, str], bool]:
    """Return what says of one thing of a list whether a request for it would be allowed. It raises
    ListTooLong once it has been asked too much."""
    spent = 0

    def is_shown(kind: Kind, name: str) -> bool:
        nonlocal spent
        thing = ResourceRead(name) if kind == "resource" else PromptGet(name)
        spent += 0 if compiled is None else access_nanoseconds(compiled, thing)
        if spent > _LONGEST_LIST:
            raise ListTooLong
        allowed = decide(compiled, thing).outcome is Outcome.ALLOW
        return allowed and not may_be_denied_otherwise(compiled, thing, much=False)

    return is_shown
