"""Acme's configuration, small, for tests that need a bundle."""

from uuid import UUID

import msgspec

from common.tokens import token_hash
from gateway_config.wire.bundle import (
    Bundle,
    BundleGrant,
    BundlePolicy,
    BundleServer,
    BundleSettings,
    BundleTool,
    ToolClass,
)
from gateway_config.wire.codec import encode_bundle
from gateway_config.wire.grant_rows import PartGrant
from gateway_config.wire.grants import GrantPart, encode_part, part_digest, part_of_token
from gateway_config.wire.messages import SignedBundle
from gateway_config.wire.signing import SigningKey, VerifyKeys, new_signing_key, sign

KEY = SigningKey.parse(new_signing_key("test"))
KEYS = VerifyKeys.parse(KEY.verify_key())

POLICY = """{
  "version": "1",
  "default": "deny",
  "tools": {
    "create_access_key": {
      "limits": [
        {
          "counter": "create_access_key_rate",
          "window": "minute",
          "max": 30,
          "scope": "grant"
        }
      ]
    }
  }
}"""


def an_id(number: int) -> str:
    return str(UUID(int=0x01A1FD5A_2C7E_7166_B865_000000000000 + number))


ACME = an_id(1)
MALLORY = an_id(2)
IAM = an_id(10)
REVISION = an_id(20)
TOKEN = "a token"


def acme(
    *,
    organization: str = ACME,
    token: str = TOKEN,
    policy: str | None = REVISION,
    document: str = POLICY,
    lease_seconds: int = 300,
    grants: int = 1,
) -> Bundle:
    return Bundle(
        organization=organization,
        settings=BundleSettings(lease_seconds=lease_seconds),
        servers=(
            BundleServer(
                id=IAM,
                name="IAM",
                upstream_url="https://iam.example.com/mcp",
                tools=(
                    BundleTool("create_access_key", "d1"),
                    BundleTool("list_users", "d2"),
                ),
            ),
        ),
        policies=(
            BundlePolicy(
                id=REVISION,
                policy=an_id(21),
                number=3,
                document=document,
                classes=(
                    ToolClass("create_access_key", "Execute", "d1"),
                    ToolClass("list_users", "Read", "d2"),
                ),
            ),
        ),
        grants=tuple(
            BundleGrant(
                id=an_id(100 + number),
                token_sha256=token_hash(token if number == 0 else f"{token} {number}"),
                server=IAM,
                policy=policy,
            )
            for number in range(grants)
        ),
    )


def in_parts(bundle: Bundle, of: int = 4) -> tuple[Bundle, list[bytes]]:
    """The same organization with its grants in parts, and these."""
    policies = {policy.id: policy.policy for policy in bundle.policies}
    kinds = tuple(dict.fromkeys((grant.server, policies.get(grant.policy or "")) for grant in bundle.grants))
    found: list[list[PartGrant]] = [[] for _ in range(of)]
    for grant in sorted(bundle.grants, key=lambda grant: grant.token_sha256):
        kind = kinds.index((grant.server, policies.get(grant.policy or "")))
        part = part_of_token(bytes.fromhex(grant.token_sha256), of)
        found[part].append(PartGrant(grant.id, grant.token_sha256, kind, grant.expires_at))
    bodies = [encode_part(GrantPart(number, of, kinds, tuple(some))) for number, some in enumerate(found)]
    digests = tuple(part_digest(body) for body in bodies)
    return msgspec.structs.replace(bundle, grants=(), parts=digests, format=2), bodies


def signed(
    bundle: Bundle,
    revision: int,
    *,
    not_before: int = 1_000,
    organization: str | None = None,
    key: SigningKey = KEY,
) -> SignedBundle:
    body = encode_bundle(bundle)
    envelope = sign(
        body,
        organization=organization or bundle.organization,
        revision=revision,
        not_before=not_before,
        lease_seconds=bundle.settings.lease_seconds,
        key=key,
    )
    return SignedBundle(envelope, body.decode())
