"""The answers to clients that are ours and not the server's."""

from typing import Final

from gateway.effects import NotAnswered, Ruling
from gateway.http_messages import Reply
from gateway.protocol.jsonrpc import INTERNAL_ERROR, INVALID_PARAMS, Id, Refused, Request
from gateway.protocol.strict_json import encode
from gateway.visits import Visit
from policies.language.quota import units
from policies.language.sentences import wire_code

NO_STORE: Final = b"Cache-Control: no-store\r\n"
JSON: Final = b"Content-Type: application/json\r\n" + NO_STORE
EVENT_STREAM: Final = (
    b"Content-Type: text/event-stream\r\nCache-Control: no-cache, no-transform\r\nX-Accel-Buffering: no\r\n"
)
APPROVAL_KEY: Final = "policylayer/approval"
_META_KEY: Final = "policylayer/decision"
_TOOLS_CALL: Final = "tools/call"
_REPEAT: Final = "Repeat the identical call once it is approved."


def denied(visit: Visit, ruling: Ruling) -> Reply:
    """A denied tool call is answered by a result that an agent reads; anything else can only get an error."""
    explain = visit.admitted.organization.settings.explain_denials
    reason = (ruling.explained if explain else None) or ruling.reason or ""
    told = _told(ruling, visit.decision_id, explain=explain)
    if ruling.waits and ruling.approval is not None:
        text = f"[APPROVAL REQUIRED] {reason}\n{_REPEAT} A person answers here: {ruling.approval.url}"
        return _answer(visit, text, told, INVALID_PARAMS)
    return _answer(visit, f"[POLICY DENIED] {reason}", told, INVALID_PARAMS)


def opens_page(visit: Visit, request: Request, ruling: Ruling, state: str) -> Reply:
    """Ask the client to show its user the approval's page, and to come back with `state`."""
    explain = visit.admitted.organization.settings.explain_denials
    told = _told(ruling, visit.decision_id, explain=explain)
    message = f"{ruling.reason or ''} A person has to approve this call."
    url = ruling.approval.url if ruling.approval is not None else ""
    page = {"mode": "url", "message": message.strip(), "url": url}
    result = {
        "resultType": "input_required",
        "inputRequests": {APPROVAL_KEY: {"method": "elicitation/create", "params": page}},
        "requestState": state,
        "_meta": {_META_KEY: told},
    }
    return Reply(
        200, JSON + visit.admitted.cors, encode({"jsonrpc": "2.0", "id": request.id, "result": result})
    )


def upstream_failed(visit: Visit, failure: NotAnswered) -> Reply:
    told: dict[str, object] = {"code": failure.code}
    if visit.decision_id:
        told["decision_id"] = visit.decision_id
    return _answer(visit, f"[UPSTREAM ERROR] {failure.reason}", told, INTERNAL_ERROR)


def as_event(visit: Visit, reply: Reply) -> bytes:
    """The data of a reply that must become part of a stream, whose status was already sent."""
    if reply.headers.startswith(JSON):
        return reply.body
    failure = NotAnswered("upstream_invalid", f"The server answered with HTTP {reply.status}.", sent=True)
    return upstream_failed(visit, failure).body


def refused(refusal: Refused, cors: bytes = b"") -> Reply:
    error = _error(refusal.id, refusal.code, refusal.reason, refusal.data)
    return Reply(refusal.status, JSON + cors, encode(error), refuses=refusal.reason)


def _answer(visit: Visit, text: str, told: dict[str, object], code: int) -> Reply:
    message, lines = visit.message, JSON + visit.admitted.cors
    if not isinstance(message, Request):
        # Nobody waits for an answer to a notification, so the status has to say it.
        return Reply(502, lines, encode(_error(None, code, text, told)))
    if message.method == _TOOLS_CALL:
        return Reply(200, lines, encode(_result(message.id, text, told, modern=visit.era.modern)))
    return Reply(200, lines, encode(_error(message.id, code, text, told)))


def _told(ruling: Ruling, decision_id: str, *, explain: bool) -> dict[str, object]:
    code = wire_code(ruling.code or "denied")
    told: dict[str, object] = {"code": code}
    if decision_id:
        told["decision_id"] = decision_id
    if ruling.retry_after_seconds is not None:
        told["retry_after_seconds"] = ruling.retry_after_seconds
    if ruling.approval is not None:
        told |= {"approval_id": ruling.approval.id, "approval_url": ruling.approval.url}
    if explain and code != "not_available":
        told["rule"] = ruling.rule
        if ruling.limit is not None:
            told["limit"] = ruling.limit
            told["remaining"] = units(ruling.left_micros)
    return told


def _result(id: Id, text: str, told: dict[str, object], *, modern: bool) -> dict[str, object]:
    result: dict[str, object] = {
        "content": [{"type": "text", "text": text}],
        "isError": True,
        "_meta": {_META_KEY: told},
    }
    if modern:
        result["resultType"] = "complete"
    return {"jsonrpc": "2.0", "id": id, "result": result}


def _error(id: Id | None, code: int, text: str, told: dict[str, object] | None = None) -> dict[str, object]:
    error: dict[str, object] = {"code": code, "message": text}
    if told is not None:
        error["data"] = told
    return {"jsonrpc": "2.0", "id": id, "error": error}
