"""Bundle <-> bytes."""

from typing import Final

import msgspec

from gateway_config.wire.bundle import FORMAT, Bundle, BundleInvalid

MAX_BODY_BYTES: Final = 64 * 1024 * 1024


class _Format(msgspec.Struct):
    format: int


_HEX: Final = b"0123456789abcdef"
_encoder: Final = msgspec.json.Encoder(order="deterministic")
_format_decoder: Final = msgspec.json.Decoder(_Format)
_decoder: Final = msgspec.json.Decoder(Bundle)


def encode_bundle(bundle: Bundle) -> bytes:
    """The same bundle always gives the same bytes, so that equal content needs no new revision."""
    return _encoder.encode(bundle)


def decode_bundle(body: bytes) -> Bundle:
    if len(body) > MAX_BODY_BYTES:
        raise BundleInvalid(f"the bundle has {len(body)} bytes, at most {MAX_BODY_BYTES} are read")
    try:
        # The format first: a later one is told as such, not as a field that looks odd.
        found = _format_decoder.decode(body).format
        if found != FORMAT:
            raise BundleInvalid(f"the bundle has format {found}, this gateway reads format {FORMAT}")
        bundle = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BundleInvalid(f"the bundle cannot be read: {error}") from None
    _check_grants(bundle)
    return bundle


def _check_grants(bundle: Bundle) -> None:
    """What each refers to by its server's and policy's ids is looked up when it is loaded."""
    ids = "".join([grant.id for grant in bundle.grants])
    tokens = "".join([grant.token_sha256 for grant in bundle.grants])
    besides = (ids + tokens).encode("utf-8", "surrogatepass").translate(None, _HEX)
    if besides != b"-" * (4 * len(bundle.grants)) or "-" in tokens:
        raise BundleInvalid("the bundle cannot be read: a grant's id or token is not one")
