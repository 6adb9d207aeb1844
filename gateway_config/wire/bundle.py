"""What gateways enforce for one organization, as it is sent: one complete bundle, signed as a whole.

A few grants are in the bundle itself; of many, it holds the digests of the parts they are in (see `grants`).

Unknown fields are refused: what an old gateway cannot read might be what forbids something.
"""

from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from gateway_config.wire.mirrored import MirroredArgument

FORMAT: Final = 1
QUERY: Final = "?"
PATH: Final = "/"
FORMAT_IN_PARTS: Final = 2
MOST_PARTS: Final = 256

Uuid: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")]
Sha256: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
ClassName: TypeAlias = Literal["Read", "Write", "Execute", "Destructive", "Financial"]
PartDigests: TypeAlias = Annotated[tuple[Sha256, ...], msgspec.Meta(max_length=MOST_PARTS)]


class BundleInvalid(Exception):  # noqa: N818
    """A bundle is refused. The reason goes back to the control plane, so it holds nothing that was sealed."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BundleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    lease_seconds: Annotated[int, msgspec.Meta(ge=1, le=31_536_000)] = 86_400
    explain_denials: bool = False
    approval_seconds: Annotated[int, msgspec.Meta(ge=1, le=604_800)] = 900
    kept_arguments: tuple[str, ...] = ()
    """Paths of arguments whose values go into the records of decisions."""
    most_calls: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    """Calls that may begin within `most_calls_seconds` on each gateway; 0: any number."""
    most_calls_seconds: Annotated[int, msgspec.Meta(ge=1, le=3_600)] = 1
    most_open: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    """Requests of one grant open at one time on each gateway; 0: as many as the gateway allows anyone."""


class BundleTool(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A tool the server lists, and the digest of its definition as the last scan saw it.

    `mirrored`: the arguments that clients repeat in headers.
    """

    name: str
    digest: str = ""
    mirrored: tuple[MirroredArgument, ...] = ()


class BundleServer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`credentials`: JSON {header: value}, sealed for (organization, this id, "upstream-headers").

    What follows the `?` of a server's address may be a secret, too, and so may the end of its path. Neither
    is in `upstream_url`: both are among the credentials, under QUERY and PATH, which are not headers; an
    `upstream_url` that goes on there ends with a slash. A gateway of the previous version finds such
    credentials unusable and no longer calls that server, but calls every other one as before.

    `revisions`: those of the protocol that the last scan found it to speak; empty if not known.
    """

    id: Uuid
    name: str
    upstream_url: str
    credentials: str | None = None
    tools: tuple[BundleTool, ...] = ()
    revisions: tuple[str, ...] = ()


class ToolClass(msgspec.Struct, frozen=True, array_like=True):
    """A tool's class, and the digest of the definition it was made for."""

    name: str
    tool_class: ClassName
    digest: str


class BundlePolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One published revision: `id` is the revision's, `document` the canonical text.

    `classes` are those at the time it was published; later ones come into force only by publishing.
    """

    id: Uuid
    policy: Uuid
    number: Annotated[int, msgspec.Meta(ge=1)]
    document: str
    classes: tuple[ToolClass, ...] = ()


class BundleGrant(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """`policy` is a BundlePolicy's id, or None: then every call is denied. `expires_at` in unix seconds.

    Ids are Uuid and hashes Sha256 here, too: the codec checks those of all grants together, because a
    pattern for each of a hundred thousand takes longer than everything else.
    """

    id: Annotated[str, msgspec.Meta(min_length=36, max_length=36)]
    token_sha256: Annotated[str, msgspec.Meta(min_length=64, max_length=64)]
    server: str
    policy: str | None = None
    expires_at: int | None = None


class Bundle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`parts`: in format 2, the digests of the grants' parts in order; it has no grants of its own then."""

    organization: Uuid
    settings: BundleSettings = BundleSettings()
    servers: tuple[BundleServer, ...] = ()
    policies: tuple[BundlePolicy, ...] = ()
    grants: tuple[BundleGrant, ...] = ()
    format: int = FORMAT
    # Left out if there are none: gateways that read only format 1 refuse fields that they do not know.
    parts: PartDigests | msgspec.UnsetType = msgspec.UNSET
