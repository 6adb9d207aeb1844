"""Why a scan failed, in sentences that say what to do next."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias, assert_never

from servers.guarded_http import AddressNotAllowed, CertificateRefused, OutboundFailed

ScanFailureCode: TypeAlias = Literal[
    "name_not_found",
    "refused",
    "timed_out",
    "tls",
    "unauthorized",
    "not_mcp",
    "address_not_allowed",
    "too_large",
    "redirected",
]

# Shorter words of a header ("Bearer", "v1") are not secret; removing them would tear holes into sentences.
SECRET_MIN: Final = 8


class ScanFailed(Exception):  # noqa: N818
    """`message` says what is wrong, `hint` what to do. Neither ever holds the value of a header."""

    def __init__(self, code: ScanFailureCode, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def without(self, headers: Mapping[str, str]) -> "ScanFailed":
        """Returns the same without credentials, in case the server echoed one in something we quote."""
        message = self.message
        for word in (word for value in headers.values() for word in value.split()):
            message = message.replace(word, "…") if len(word) >= SECRET_MIN else message
        return ScanFailed(self.code, message, self.hint)


@dataclass(frozen=True, slots=True)
class Asked:
    """The server we asked, as far as a sentence needs it."""

    host: str
    port: int
    path: str
    with_credential: bool


def connection_failure(failed: OutboundFailed, asked: Asked, seconds: int) -> ScanFailed:
    match failed.code:
        case "name_not_found":
            return ScanFailed(
                "name_not_found", f"No address is known for {asked.host}.", "Check the spelling of the URL."
            )
        case "refused":
            return _refused(failed, asked)
        case "timed_out":
            return timed_out(asked, int(failed.detail or seconds))
        case "tls":
            return certificate_failure(failed, asked, None)
        case "address_not_allowed":
            return _not_allowed(failed, asked)
        case "too_large":
            return too_large(f"It sent more than {failed.detail or '64 MiB'}.")
        case "redirected":
            return _redirected(failed)
        case "not_http":
            return not_mcp(asked, "it sent something else")
        case _:
            assert_never(failed.code)


def timed_out(asked: Asked, seconds: int) -> ScanFailed:
    return ScanFailed(
        "timed_out",
        f"{asked.host} did not answer within {seconds} s.",
        "Check that the server is running and that its firewall lets us in, then connect again.",
    )


def too_large(what: str) -> ScanFailed:
    return ScanFailed("too_large", what, "Connect a server that offers fewer tools or shorter definitions.")


def unauthorized(asked: Asked, status: int) -> ScanFailed:
    if asked.with_credential:
        return ScanFailed(
            "unauthorized",
            f"It answered {status}: it does not accept this credential.",
            "Check that the token is complete, still valid and made for this server.",
        )
    return ScanFailed(
        "unauthorized",
        f"It answered {status}: it wants a credential.",
        "Choose Headers and add the token you use with this server.",
    )


def not_mcp(asked: Asked, instead: str, hint: str = "") -> ScanFailed:
    if not hint:
        hint = "Is the path /mcp missing?" if "mcp" not in asked.path else "Check the path of the URL."
    return ScanFailed("not_mcp", f"{asked.host} answered, but not as an MCP server ({instead}).", hint)


def not_mcp_after(asked: Asked, status: int, content_type: str) -> ScanFailed:
    """Judges by the last answer seen, when the handshake failed."""
    if content_type.startswith("text/html"):
        return not_mcp(asked, "it sent a web page")
    if status == 429 or status >= 500:
        return not_mcp(asked, f"it answered {status}", "Connect again in a minute; its log may say why.")
    if status >= 400:
        return not_mcp(asked, f"it answered {status}")
    return not_mcp(asked, "it sent something else")


def certificate_failure(failed: OutboundFailed, asked: Asked, ended: datetime | None) -> ScanFailed:
    match failed.verify_code if isinstance(failed, CertificateRefused) else None:
        case None:
            message = f"{asked.host} made no secure connection on port {asked.port}."
            hint = "Check the port, and whether the URL should begin with http://."
        case 10 if ended is not None:
            message = f"The certificate expired on {ended.day} {ended:%b %Y}."
            hint = "Renew it on the server, then connect again."
        case 10:
            message, hint = "The certificate expired.", "Renew it on the server, then connect again."
        case 9:
            message, hint = "The certificate is not valid yet.", "Check the clocks of both machines."
        case 62 | 64:
            message = f"The certificate is not for {asked.host}."
            hint = "Use the name that the certificate was made for."
        case _:
            message = "The certificate is not signed by an authority that we trust."
            hint = "Use one from a public authority, or ask an operator to add yours."
    return ScanFailed("tls", f"{message} Nothing was sent.", hint)


def _refused(failed: OutboundFailed, asked: Asked) -> ScanFailed:
    if failed.detail == "closed":
        return ScanFailed(
            "refused",
            f"{asked.host} closed the connection before it had answered.",
            "Connect again. If it keeps happening, the server's log may say why.",
        )
    return ScanFailed(
        "refused",
        f"Nothing answers at {asked.host} on port {asked.port}.",
        "Check the port, and that the server is running.",
    )


def _not_allowed(failed: OutboundFailed, asked: Asked) -> ScanFailed:
    address, why = ("", "it is not a public address")
    if isinstance(failed, AddressNotAllowed):
        address, why = failed.address, failed.why
    if "our own" in why:
        return ScanFailed(
            "address_not_allowed",
            f"{asked.host} on port {asked.port} is this product itself.",
            "Register the server behind it.",
        )
    where = f" ({address})" if address not in ("", asked.host) else ""
    return ScanFailed(
        "address_not_allowed",
        f"{asked.host} is {why.removeprefix('it is ')}{where}.",
        "The gateway only connects to public ones; an operator can open a range.",
    )


def _redirected(failed: OutboundFailed) -> ScanFailed:
    where = f" to {failed.detail}" if failed.detail else ""
    return ScanFailed(
        "redirected",
        f"It redirects{where}, and redirects are not followed.",
        "If that is the server you mean, enter that URL.",
    )
