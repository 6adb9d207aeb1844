"""Extracts from a message what the policy is to judge. Raises Refused if the message does not say."""

from gateway.protocol.jsonrpc import INVALID_PARAMS, Refused, Request
from gateway.protocol.methods import Verdict
from gateway.protocol.strict_json import Json
from policies.language.decision import MISSING, PromptGet, ResourceRead, ToolCall


def tool_call(request: Request) -> ToolCall:
    params = request.params
    tool = params.get("name")
    if type(tool) is not str:
        raise _not_a_text(request, "name")
    return ToolCall(tool, params.get("arguments", MISSING))


def shows_pages(request: Request) -> bool:
    """Return whether the client can open a page for its user (elicitation in URL mode)."""
    able = request.meta.get("io.modelcontextprotocol/clientCapabilities")
    elicits = able.get("elicitation") if isinstance(able, dict) else None
    return isinstance(elicits, dict) and isinstance(elicits.get("url"), dict)


def things(request: Request, verdict: Verdict) -> list[ResourceRead | PromptGet]:
    match verdict:
        case Verdict.JUDGE_RESOURCE:
            return [ResourceRead(_text(request, "uri"))]
        case Verdict.JUDGE_PROMPT:
            return [PromptGet(_text(request, "name"))]
        case Verdict.JUDGE_REFERENCE:
            return [_reference(request)]
        case _:
            return [ResourceRead(uri) for uri in _subscribed(request)]


def named(thing: ResourceRead | PromptGet) -> str:
    return thing.uri if isinstance(thing, ResourceRead) else thing.name


def _reference(request: Request) -> ResourceRead | PromptGet:
    reference = request.params.get("ref")
    if isinstance(reference, dict):
        match reference:
            case {"type": "ref/resource", "uri": str(uri)}:
                return ResourceRead(uri)
            case {"type": "ref/prompt", "name": str(name)}:
                return PromptGet(name)
    raise _unusable(request, "`ref` must name a prompt or a resource.")


def _subscribed(request: Request) -> list[str]:
    wanted = request.params.get("notifications", {})
    uris: Json = wanted.get("resourceSubscriptions", []) if isinstance(wanted, dict) else None
    if uris is None and isinstance(wanted, dict):
        return []
    if not isinstance(uris, list):
        raise _unusable(request, "`notifications` must be an object, its `resourceSubscriptions` a list.")
    texts = [uri for uri in uris if isinstance(uri, str)]
    if len(texts) != len(uris):
        raise _unusable(request, "`resourceSubscriptions` must be a list of URIs.")
    return texts


def _text(request: Request, key: str) -> str:
    value = request.params.get(key)
    if type(value) is not str:
        raise _not_a_text(request, key)
    return value


def _not_a_text(request: Request, key: str) -> Refused:
    return _unusable(request, f"`{key}` must be a string.")


def _unusable(request: Request, reason: str) -> Refused:
    return Refused(INVALID_PARAMS, reason, id=request.id)
