"""Which of a server's answers are not passed on, and why: because of their head, or of their content."""

from typing import Final

from gateway.protocol.answers import Nonsense
from gateway.protocol.sse import EndpointEvent, EventTooLarge
from gateway.protocol.strict_json import NotStrict
from gateway.protocol.tool_list import ListTooLong
from gateway.upstream_answer import INVALID, REFUSED_CREDENTIALS, TOO_LARGE, UpstreamAnswer, UpstreamError
from gateway.upstream_target import TargetUnusable

# Clients rely on these to fall back to another revision or to begin a new session.
VERBATIM: Final = frozenset({400, 404, 405, 406, 409, 410, 415, 422, 429})
_CREDENTIALS_REFUSED: Final = frozenset({401, 403, 407})
_LOOP: Final = 508
_AMBIGUOUS: Final = "The server's list of tools can be read in more than one way."
BROKEN_STREAM: Final[dict[type[Exception], tuple[str, str]]] = {
    EventTooLarge: (TOO_LARGE, "One event of the server's answer is too large."),
    EndpointEvent: (INVALID, "The server names an address for messages where none may be named."),
    TargetUnusable: (INVALID, "The server asks for its messages at an address that is not its own."),
    NotStrict: (INVALID, _AMBIGUOUS),
    ListTooLong: (TOO_LARGE, "The server's list of tools is too long to look through."),
}
BREAKING: Final[tuple[type[Exception], ...]] = (UpstreamError, *BROKEN_STREAM)


def check_head(answer: UpstreamAnswer) -> None:
    """Check an answer by its head alone. Raises UpstreamError if nothing of it may be passed on."""
    if answer.headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise answer.failed(INVALID, "The server compressed its answer although it was asked not to.")
    if answer.status in _CREDENTIALS_REFUSED:
        # Never passed on: a client would begin a login with that server.
        raise answer.failed(REFUSED_CREDENTIALS, "The server refused the gateway's credentials.")
    if answer.status == _LOOP:
        raise answer.failed(
            INVALID, "The server's address leads back to a gateway the call has come through."
        )
    if not (200 <= answer.status < 300 or answer.status in VERBATIM):
        raise answer.failed(INVALID, f"The server answered with HTTP {answer.status}.")


def why_broken(answer: UpstreamAnswer, problem: Exception) -> UpstreamError:
    if isinstance(problem, UpstreamError):
        return problem
    if isinstance(problem, Nonsense):
        return answer.failed(INVALID, problem.reason)
    return answer.failed(*BROKEN_STREAM[type(problem)])
