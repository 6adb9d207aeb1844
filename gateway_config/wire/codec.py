"""Bundles to bytes, and back."""

from typing import Final

import msgspec

from gateway_config.wire.bundle import FORMAT, FORMAT_IN_PARTS, Bundle, BundleInvalid, PartDigests

MAX_BODY_BYTES: Final = 64 * 1024 * 1024


class _Format(msgspec.Struct):
    format: int


class _Named(msgspec.Struct):
    parts: PartDigests = ()


_HEX: Final = b"0123456789abcdef"
_encoder: Final = msgspec.json.Encoder(order="deterministic")
_format_decoder: Final = msgspec.json.Decoder(_Format)
_named_decoder: Final = msgspec.json.Decoder(_Named)
_decoder: Final = msgspec.json.Decoder(Bundle)


def encode_bundle(bundle: Bundle) -> bytes:
    """The same bundle always gives the same bytes, so that equal content needs no new revision."""
    return _encoder.encode(bundle)


def decode_bundle(body: bytes) -> Bundle:
    if len(body) > MAX_BODY_BYTES:
        raise BundleInvalid(f"the bundle has {len(body)} bytes, at most {MAX_BODY_BYTES} are read")
    try:
        # The format first: a later one is reported as such, not as a field that looks odd.
        found = _format_decoder.decode(body).format
        if found not in (FORMAT, FORMAT_IN_PARTS):
            raise BundleInvalid(
                f"the bundle has format {found}, this gateway reads formats {FORMAT} and {FORMAT_IN_PARTS}"
            )
        bundle = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BundleInvalid(f"the bundle cannot be read: {error}") from None
    if bool(bundle.parts) != (bundle.format == FORMAT_IN_PARTS) or (bundle.parts and bundle.grants):
        raise BundleInvalid("the bundle's grants are neither in it nor in its parts")
    _check_grants(bundle)
    return bundle


def named_parts(body: bytes) -> tuple[str, ...]:
    """The digests of the parts that hold a bundle's grants, without reading the rest of it."""
    try:
        return _named_decoder.decode(body).parts
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BundleInvalid(f"the bundle cannot be read: {error}") from None


def _check_grants(bundle: Bundle) -> None:
    """Checks ids and tokens alone: the servers and policies that grants name are looked up on loading."""
    check_ids_and_tokens([grant.id for grant in bundle.grants], [one.token_sha256 for one in bundle.grants])


def check_ids_and_tokens(ids: list[str], tokens: list[str]) -> None:
    """The length of each has already been checked."""
    token = "".join(tokens)
    besides = ("".join(ids) + token).encode("utf-8", "surrogatepass").translate(None, _HEX)
    if besides != b"-" * (4 * len(ids)) or "-" in token:
        raise BundleInvalid("the bundle cannot be read: a grant's id or token is not one")
