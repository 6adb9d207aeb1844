import msgspec
import pytest

from common.tokens import token_digest
from gateway_config.wire.bundle import (
    Bundle,
    BundleGrant,
    BundleInvalid,
    BundlePolicy,
    BundleServer,
    BundleTool,
)
from gateway_config.wire.codec import encode_bundle
from gateway_config.wire.loader import load_organization
from policies.language.decide import decide
from policies.language.decision import Outcome, ToolCall
from tests.gateway_config.wire.bundles import ACME, IAM, POLICY, REVISION, TOKEN, acme, an_id


def test_a_loaded_grant_decides_calls() -> None:
    loaded = load_organization(encode_bundle(acme()), revision=7)
    grant = loaded.grants[token_digest(TOKEN)]
    assert (loaded.organization, loaded.revision, loaded.settings.lease_seconds) == (ACME, 7, 300)
    assert (grant.server, grant.policy_id, grant.policy_number) == (IAM, REVISION, 3)
    assert decide(grant.compiled, ToolCall("create_access_key", {})).outcome is Outcome.ALLOW
    assert decide(grant.compiled, ToolCall("list_users", {})).outcome is Outcome.DENY
    assert loaded.servers[IAM].tools["list_users"].digest == "d2"


def test_a_grant_without_a_policy_is_kept_and_denies_everything() -> None:
    grant = load_organization(encode_bundle(acme(policy=None))).grants[token_digest(TOKEN)]
    assert grant.compiled is None
    assert decide(grant.compiled, ToolCall("list_users", {})).code == "no_policy"


def test_a_tools_class_reaches_the_policy_of_its_own_server_only() -> None:
    other = an_id(11)
    document = '{"version": "1", "default": "deny", "classes": {"Read": {}}}'
    bundle = acme(document=document)
    unclassed = BundleServer(other, "Other", "http://x.example", None, (BundleTool("list_users"),))
    bundle = msgspec.structs.replace(
        bundle,
        servers=(*bundle.servers, unclassed),
        grants=(*bundle.grants, BundleGrant(an_id(200), "0" * 64, other, REVISION)),
    )
    grants = load_organization(encode_bundle(bundle)).grants
    call = ToolCall("list_users", {})
    assert decide(grants[token_digest(TOKEN)].compiled, call).outcome is Outcome.ALLOW
    assert decide(grants[bytes(32)].compiled, call).outcome is Outcome.DENY


def test_a_tool_whose_definition_changed_since_it_was_classed_has_no_class() -> None:
    bundle = acme(document='{"version": "1", "default": "deny", "classes": {"Read": {}}}')
    changed = msgspec.structs.replace(bundle.servers[0], tools=(BundleTool("list_users", "another"),))
    loaded = load_organization(encode_bundle(msgspec.structs.replace(bundle, servers=(changed,))))
    decision = decide(loaded.grants[token_digest(TOKEN)].compiled, ToolCall("list_users", {}))
    assert decision.code == "default_deny"


def test_a_thousand_grants_of_one_policy_share_what_was_compiled() -> None:
    grants = load_organization(encode_bundle(acme(grants=1000))).grants
    assert len({id(grant.compiled) for grant in grants.values()}) == 1


SERVER, REVISION_3, GRANT = acme().servers[0], acme().policies[0], acme().grants[0]


def _with(**changes: object) -> Bundle:
    return msgspec.structs.replace(acme(), **changes)


def _server(**changes: object) -> Bundle:
    return _with(servers=(msgspec.structs.replace(SERVER, **changes),))


@pytest.mark.parametrize(
    ("bundle", "says"),
    [
        (_with(servers=(SERVER, SERVER)), f"server {IAM} appears twice"),
        (_with(policies=(REVISION_3, REVISION_3)), f"policy revision {REVISION} appears twice"),
        (_with(grants=(GRANT, GRANT)), "is another grant's, too"),
        (
            _with(grants=(GRANT, msgspec.structs.replace(GRANT, token_sha256="9" * 64, policy=None))),
            f"grant {GRANT.id} is there twice, and not the same",
        ),
        (_with(grants=(GRANT, msgspec.structs.replace(GRANT, id=an_id(9)))), "is another grant's, too"),
        (_with(servers=()), f"server {IAM} of a grant is not in the bundle"),
        (_with(policies=()), f"policy revision {REVISION} of a grant is not in the bundle"),
        (acme(document="{}"), "revision 3 of policy .* cannot be loaded"),
        (acme(document=POLICY.replace('"deny"', '"dony"')), "line 3"),
        (_with(policies=(REVISION_3, BundlePolicy(an_id(5), an_id(6), 1, "[]"))), "revision 1 of policy"),
        (_server(upstream_url="ftp://x"), "not one that can be called"),
        (_server(upstream_url="http://x:0x"), "not one that can be called"),
        (_server(upstream_url="https:///mcp"), "not one that can be called"),
        (_server(tools=SERVER.tools * 2), "create_access_key appears twice"),
    ],
)
def test_what_could_not_be_enforced_whole_is_not_loaded_at_all(bundle: Bundle, says: str) -> None:
    with pytest.raises(BundleInvalid, match=says):
        load_organization(encode_bundle(bundle))


def test_a_loaded_server_shows_no_credentials() -> None:
    loaded = load_organization(encode_bundle(_server(credentials="v1.k.n.hush")))
    assert loaded.servers[IAM].credentials == "v1.k.n.hush"
    assert "hush" not in repr(loaded)
