"""What one organization's gateways enforce, as it travels: one whole bundle, signed as a whole.

Of many grants the bundle holds the digests of the parts they stand in (see `grants`); of few the grants.

Unknown fields are refused: what an old gateway cannot read might be what closes something.
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
    """Why a bundle is not taken. The reason goes back to the control plane, so it holds nothing sealed."""

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
    """That may begin within `most_calls_seconds` on each gateway; 0: any number."""
    most_calls_seconds: Annotated[int, msgspec.Meta(ge=1, le=3_600)] = 1
    most_open: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    """Requests of one grant open at one time on each gateway; 0: as many as the gateway allows anybody."""


class BundleTool(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A tool the server lists, and the digest of its definition as the last scan saw it.

    `mirrored`: the arguments that clients repeat in headers.
    """

    name: str
    digest: str = ""
    mirrored: tuple[MirroredArgument, ...] = ()


class BundleServer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`credentials`: JSON {header: value}, sealed for (organization, this id, "upstream-headers").

    What follows the `?` of a server's address may be a secret, too, and so may the end of its path: neither
    stands in `upstream_url` but among the credentials, under QUERY and PATH, which are no headers; an
    `upstream_url` that goes on there ends with a slash. A gateway of the version before takes them for
    unusable and calls that server no more, and every other one as before.

    `revisions` of the protocol that the last scan found it to speak; none: not known.
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

    `classes` are those of the moment it was published; later classifications take force only by publishing.
    """

    id: Uuid
    policy: Uuid
    number: Annotated[int, msgspec.Meta(ge=1)]
    document: str
    classes: tuple[ToolClass, ...] = ()


class BundleGrant(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """`policy` is a BundlePolicy's id, or None: then every call is denied. `expires_at` in unix seconds.

    Ids are Uuid and hashes Sha256 here, too: the codec looks at those of all grants together, because a
    pattern for each of a hundred thousand takes longer than all the rest.
    """

    id: Annotated[str, msgspec.Meta(min_length=36, max_length=36)]
    token_sha256: Annotated[str, msgspec.Meta(min_length=64, max_length=64)]
    server: str
    policy: str | None = None
    expires_at: int | None = None


class Bundle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`parts`: the digests of the grants' parts in their order, in format 2; it has no grants of its own."""

    organization: Uuid
    settings: BundleSettings = BundleSettings()
    servers: tuple[BundleServer, ...] = ()
    policies: tuple[BundlePolicy, ...] = ()
    grants: tuple[BundleGrant, ...] = ()
    format: int = FORMAT
    # Left out where there are none: gateways that read only format 1 refuse what they do not know.
    parts: PartDigests | msgspec.UnsetType = msgspec.UNSET
