"""The API, typed: one method per operation. What the API refuses is raised as `Refused`."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar
from uuid import uuid4

import httpx
import msgspec

from policylayer import shapes

TRIES: Final = 4
LONGEST_PAUSE_SECONDS: Final = 60.0
_TOO_MANY: Final = 429
_ERRNO: Final = re.compile(r"\[Errno -?\d+\] ?")
_RESTARTING: Final = (502, 503, 504)  # what a proxy in front answers meanwhile
Shape = TypeVar("Shape")


class Refused(Exception):  # noqa: N818 - the word of the house
    """The API said no. `kind` is the problem's code, such as `invalid_policy`."""

    def __init__(self, status: int, kind: str, detail: str, errors: tuple[shapes.Problem, ...] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.errors = errors


class Unreachable(Exception):  # noqa: N818
    """Nothing answered, or what answered is not the API."""


class Client:
    """Use it as a context manager. Requests that may be repeated are retried if the connection fails, a proxy
    says that nothing is behind it, or we are throttled.

    Every POST carries an Idempotency-Key, so it can be sent again if its response was lost. A change that
    names its version cannot: the second would be refused because of what the first did.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        transport: httpx.BaseTransport | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._pause = pause
        self._http = httpx.Client(
            base_url=f"{url.rstrip('/')}/api/v1/",
            headers={"Authorization": f"Bearer {key}", "Accept": "application/json"},
            timeout=httpx.Timeout(30, read=120),  # long enough for a scan
            transport=transport,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    # ---- who asks
    def me(self) -> shapes.Me:
        return self._get("me/", shapes.Me)

    # ---- servers
    def servers(self) -> Iterator[shapes.Server]:
        return self._list("servers/", shapes.Server)

    def register_server(
        self, name: str, upstream_url: str, headers: dict[str, str] | None = None
    ) -> shapes.Server:
        auth = {"kind": "headers", "headers": headers} if headers else {"kind": "none"}
        body = {"name": name, "upstream_url": upstream_url, "auth": auth}
        return self._post("servers/", body, shapes.Server)

    def scan(self, server: str) -> shapes.Scan:
        return self._post(f"servers/{server}/scan/", {}, shapes.Scan)

    def tools(self, server: str) -> Iterator[shapes.Tool]:
        return self._list(f"servers/{server}/tools/", shapes.Tool)

    # ---- policies
    def policies(self) -> Iterator[shapes.PolicySummary]:
        return self._list("policies/", shapes.PolicySummary)

    def policy(self, policy: str) -> shapes.Policy:
        return self._get(f"policies/{policy}/", shapes.Policy)

    def create_policy(self, server: str, name: str, document: str) -> shapes.Policy:
        return self._post("policies/", {"server": server, "name": name, "document": document}, shapes.Policy)

    def save_policy(self, policy: str, document: str, version: int) -> shapes.Policy:
        """Raises Refused of kind `stale` if someone has saved since `version`."""
        answer = self._send(
            "PATCH", f"policies/{policy}/", {"document": document}, {"If-Match": f'"{version}"'}
        )
        return _read(answer, shapes.Policy)

    def diff(self, policy: str, document: str) -> shapes.Diff:
        """Returns what publishing the text would change."""
        return self._post(f"policies/{policy}/diff/", {"document": document}, shapes.Diff)

    def tests(self, policy: str) -> shapes.Tests:
        """Returns the tests with their ETag, which `replace_tests` takes."""
        answer = self._send("GET", f"policies/{policy}/tests/")
        return msgspec.structs.replace(_read(answer, shapes.Tests), etag=answer.headers.get("ETag", ""))

    def replace_tests(self, policy: str, text: str, etag: str) -> shapes.Tests:
        """`text`: a JSON list; numbers keep their spelling. Raises `stale` if `etag` is not the newest."""
        raw = f'{{"tests": {text}}}'.encode()
        return _read(self._send("PUT", f"policies/{policy}/tests/", raw, {"If-Match": etag}), shapes.Tests)

    def publish(self, policy: str, note: str = "", version: int | None = None) -> shapes.Publication:
        """Raises Refused of kind `invalid_policy` with every problem and failed test."""
        headers = {} if version is None else {"If-Match": f'"{version}"'}
        return self._post(f"policies/{policy}/publish/", {"note": note}, shapes.Publication, headers)

    def revision(self, revision: str) -> shapes.Revision:
        return self._get(f"revisions/{revision}/", shapes.Revision)

    # ---- grants
    def grants(self) -> Iterator[shapes.Grant]:
        return self._list("grants/", shapes.Grant)

    def issue_grant(
        self, server: str, policy: str | None, label: str, expires_at: str | None = None
    ) -> shapes.Grant:
        """Issues a grant. Its token is in this answer only."""
        body = {"server": server, "policy": policy, "label": label, "expires_at": expires_at}
        return self._post("grants/", body, shapes.Grant)

    def rotate_grant(self, grant: str, overlap_seconds: int) -> shapes.Grant:
        """Gives the grant a new token, in this answer only; the old one works until the overlap ends."""
        return self._post(f"grants/{grant}/rotate/", {"overlap_seconds": overlap_seconds}, shapes.Grant)

    def revoke_grant(self, grant: str) -> shapes.Grant:
        return self._post(f"grants/{grant}/revoke/", {}, shapes.Grant)

    # ---- what happened, what waits
    def decisions(self, **filters: str) -> Iterator[shapes.Decision]:
        """Newest first. Filters: those of the API, such as server, grant, tool, outcome, code and since."""
        return self._list("decisions/", shapes.Decision, filters)

    def approvals(self, **filters: str) -> Iterator[shapes.Approval]:
        """Newest first. Filters: state, server, grant, tool."""
        return self._list("approvals/", shapes.Approval, filters)

    def approve(self, approval: str, note: str = "") -> shapes.Approval:
        return self._post(f"approvals/{approval}/approve/", {"note": note}, shapes.Approval)

    def decline(self, approval: str, note: str = "") -> shapes.Approval:
        return self._post(f"approvals/{approval}/decline/", {"note": note}, shapes.Approval)

    # ---- how it is asked
    def _get(self, path: str, shape: type[Shape]) -> Shape:
        return _read(self._send("GET", path), shape)

    def _post(
        self, path: str, body: object, shape: type[Shape], headers: dict[str, str] | None = None
    ) -> Shape:
        again = {"Idempotency-Key": str(uuid4()), **(headers or {})}
        return _read(self._send("POST", path, body, again), shape)

    def _list(self, path: str, shape: type[Shape], asked: dict[str, str] | None = None) -> Iterator[Shape]:
        answer = self._send("GET", path, params=asked)
        while True:
            page = _read(answer, dict[str, Any])
            for row in page["results"]:
                yield msgspec.convert(row, shape, strict=False)
            if not page["next"]:
                return
            # Only the query is taken from `next`: the key must never go to another host.
            answer = self._send("GET", path, params=dict(httpx.URL(page["next"]).params))

    def _send(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
    ) -> httpx.Response:
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        sent = {**(headers or {}), **({"Content-Type": "application/json"} if content is not None else {})}
        for tried in range(1, TRIES + 1):
            try:
                answer = self._http.request(method, path, content=content, headers=sent, params=params)
            except httpx.TransportError as wrong:
                if tried == TRIES or "If-Match" in sent:
                    raise Unreachable(_no_answer(self._http.base_url, wrong)) from None
                self._pause(_rest(tried))
                continue
            wait = _wait_of(answer, tried)
            if wait is None or tried == TRIES or (answer.is_server_error and "If-Match" in sent):
                break
            self._pause(wait)
        if answer.is_error:
            raise _refused(answer)
        return answer


def _wait_of(answer: httpx.Response, tried: int) -> float | None:
    """Returns None if there is nothing to wait for, as with a limit that time does not lift."""
    said = answer.headers.get("Retry-After", "")
    if answer.status_code in _RESTARTING or (answer.status_code == _TOO_MANY and said.isdigit()):
        return min(float(said), LONGEST_PAUSE_SECONDS) if said.isdigit() else _rest(tried)
    return None


def _rest(tried: int) -> float:
    return float(2.0 ** (tried - 2))


def _read(answer: httpx.Response, shape: type[Shape]) -> Shape:
    try:
        return msgspec.json.decode(answer.content, type=shape, strict=False)
    except msgspec.MsgspecError as wrong:
        said = f"{_origin(answer.url)} does not answer as PolicyLayer does: {wrong}."
        raise Unreachable(f"{said} Is this the address of the site?") from None


def _origin(url: httpx.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode()}"


def _no_answer(url: httpx.URL, why: Exception) -> str:
    reason = _ERRNO.sub("", str(why)).rstrip(".") or type(why).__name__
    return f"{_origin(url)} does not answer: {reason}. Is the address right, and does it run?"


def _refused(answer: httpx.Response) -> Refused:
    try:
        body: dict[str, Any] = msgspec.json.decode(answer.content, type=dict[str, Any])
        errors = msgspec.convert(body.get("errors", []), tuple[shapes.Problem, ...], strict=False)
        kind, detail = str(body["code"]), str(body["detail"])
    except (msgspec.MsgspecError, KeyError):
        said = f"{answer.status_code} {answer.reason_phrase}".strip()
        asked = f"{_origin(answer.url)} answered {said}, and not as PolicyLayer does."
        return Refused(answer.status_code, "unknown", f"{asked} Is this the address of the site?")
    return Refused(answer.status_code, kind, detail, errors)
