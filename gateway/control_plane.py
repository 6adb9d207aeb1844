"""Client of the control plane's internal API. On the path only of calls that need approval."""

import time
from typing import Final, Self, TypeVar

import httpx
import msgspec

from gateway_config.wire.approvals import (
    ApprovalAsk,
    ApprovalClaim,
    ApprovalUnused,
    ClaimAnswer,
    NewsAnswer,
)
from gateway_config.wire.messages import (
    Ack,
    BatchAnswer,
    DriftReport,
    HeadsAnswer,
    Hello,
    HelloAnswer,
    LimiterAnswer,
    LimiterState,
    SignedBundle,
)

_CONNECT_SECONDS: Final = 3.0
_ANSWER_SECONDS: Final = 15.0
_STARTING_SECONDS: Final = 5.0
_JSON: Final = {"Content-Type": "application/json"}
_Answer = TypeVar("_Answer")


class ControlPlaneError(Exception):
    """The control plane was not reached, refused, or answered nonsense. One sentence; never a token."""


class NotReachedYet(ControlPlaneError):  # noqa: N818
    """Both may have been started together, and this worker was up first: worth no line in the log."""


class TokenRefused(ControlPlaneError):  # noqa: N818
    def __init__(self) -> None:
        super().__init__("the control plane refuses this worker's token; it was revoked or is another's")


class ControlPlane:
    def __init__(self, url: str, token: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._client = httpx.AsyncClient(
            base_url=f"{url}/internal/v1/",
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS),
            # Neither a proxy set in the environment nor a redirect may see the token.
            trust_env=False,
            follow_redirects=False,
            transport=transport,
        )
        self._answers_by: float | None = time.monotonic() + _STARTING_SECONDS  # None: it has answered

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def hello(self, hello: Hello) -> HelloAnswer:
        return await self._post("hello/", msgspec.json.encode(hello), HelloAnswer)

    async def heads(self, cursor: int, wait: int) -> HeadsAnswer:
        return await self._poll("heads", {"cursor": cursor, "wait": wait}, HeadsAnswer)

    async def approval_news(self, after: int, wait: int) -> NewsAnswer:
        return await self._poll("approvals/news", {"after": after, "wait": wait}, NewsAnswer)

    async def claim(self, claim: ApprovalClaim) -> ClaimAnswer:
        return await self._post("approvals/claim/", msgspec.json.encode(claim), ClaimAnswer)

    async def ask(self, ask: ApprovalAsk) -> ClaimAnswer:
        return await self._post("approvals/", msgspec.json.encode(ask), ClaimAnswer)

    async def unused(self, unused: ApprovalUnused) -> None:
        content = msgspec.json.encode(unused)
        await self._send(
            self._client.build_request("POST", "approvals/unused/", content=content, headers=_JSON)
        )

    async def bundle(self, organization: str) -> SignedBundle:
        request = self._client.build_request("GET", f"bundles/{organization}/")
        return _read(await self._send(request), SignedBundle)

    async def grants(self, organization: str, digest: str) -> bytes:
        """Fetch a part of a bundle's grants. It is named by its digest, so its content can be checked."""
        request = self._client.build_request("GET", f"bundles/{organization}/grants/{digest}/")
        return (await self._send(request)).content

    async def acks(self, acks: list[Ack]) -> None:
        await self._send(
            self._client.build_request("POST", "acks/", content=msgspec.json.encode(acks), headers=_JSON)
        )

    async def drift(self, reports: list[DriftReport]) -> None:
        await self._send(
            self._client.build_request("POST", "drift/", content=msgspec.json.encode(reports), headers=_JSON)
        )

    async def limiter(self, state: LimiterState) -> LimiterAnswer:
        return await self._post("limiter/", msgspec.json.encode(state), LimiterAnswer)

    async def records(self, body: bytes) -> BatchAnswer:
        return await self._post("decisions/", body, BatchAnswer)

    async def _poll(self, path: str, params: dict[str, int], answer: type[_Answer]) -> _Answer:
        timeout = httpx.Timeout(params["wait"] + _ANSWER_SECONDS, connect=_CONNECT_SECONDS)
        request = self._client.build_request("GET", path, params=params, timeout=timeout)
        return _read(await self._send(request), answer)

    async def _post(self, path: str, body: bytes, answer: type[_Answer]) -> _Answer:
        request = self._client.build_request("POST", path, content=body, headers=_JSON)
        return _read(await self._send(request), answer)

    async def _send(self, request: httpx.Request) -> httpx.Response:
        try:
            response = await self._client.send(request)
        except Exception as error:
            # Catch anything: a connection reset while it is being made ends in an AttributeError far below.
            starting = self._answers_by is not None and time.monotonic() < self._answers_by
            kind = NotReachedYet if starting else ControlPlaneError
            raise kind(f"the control plane (CONTROL_URL) does not answer: {type(error).__name__}") from None
        self._answers_by = None
        # The body has been read. Response and stream refer to each other and to what was sent: megabytes of
        # records that would stay until the garbage collector runs.
        del response.stream
        if response.status_code in (401, 403):
            raise TokenRefused
        if not response.is_success:
            raise ControlPlaneError(
                f"the control plane answered {response.status_code} to {request.url.path}"
            )
        return response


def _read(response: httpx.Response, answer: type[_Answer]) -> _Answer:
    try:
        return msgspec.json.decode(response.content, type=answer)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        # The error may quote the answer, and the answer may quote a call's arguments.
        place = str(error).rpartition(" - ")[2] if isinstance(error, msgspec.ValidationError) else "at all"
        raise ControlPlaneError(f"the control plane's answer cannot be read {place}") from None
