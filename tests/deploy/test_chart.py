"""The chart, read by Helm itself and by Kubernetes' own schemas."""

from __future__ import annotations

from typing import Any

import pytest

from config import env
from config.supervisor import fresh_secrets, site
from gateway.limits import Limits
from gateway.settings import VERSION
from tests.deploy.files import VALUES, read_chart

THEIRS = {"DJANGO_SETTINGS_MODULE", "CELERY_SKIP_CHECKS", "POD_IP"}
PARTS = ("prepare", "web", "internal", "worker", "gateway")


@pytest.fixture(scope="module")
def chart() -> dict[str, Any]:
    ingress = {"enabled": True, "className": "nginx", "webTlsSecret": "tls"}
    return read_chart(VALUES | {"ingress": ingress})[0]


@pytest.fixture(scope="module")
def pods(chart: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = [one for one in chart["manifests"] if one["kind"] in ("Deployment", "StatefulSet", "Job")]
    return {one["metadata"]["name"].removeprefix("pl-policylayer-"): one for one in found}


def container(workload: dict[str, Any]) -> dict[str, Any]:
    (only,) = workload["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = only
    return found


def names(one: dict[str, Any]) -> set[str]:
    return {variable["name"] for variable in one["env"]} - THEIRS


def of_kind(chart: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    found = [one for one in chart["manifests"] if one["kind"] == kind]
    return {one["metadata"]["name"].removeprefix("pl-policylayer-"): one for one in found}


def test_helm_and_kubernetes_find_nothing_wrong(chart: dict[str, Any]) -> None:
    assert (chart["errors"], chart["invalid"]) == ([], [])
    worst = [said for said in chart["lint"] if said["severity"] > 1]
    assert worst == []
    kinds = {one["kind"] for one in chart["manifests"]}
    assert kinds >= {"Deployment", "StatefulSet", "Job", "NetworkPolicy", "PodDisruptionBudget", "Ingress"}
    assert "Secret" not in kinds


def test_values_that_cannot_be_meant_are_refused() -> None:
    wrong: list[dict[str, Any]] = [
        {"publicUrl": ""},
        {"publicUrl": "policylayer.example.com"},
        {"existingSecrets": {"worker": ""}},
        {"images": {"tag": "latest"}},
        {"web": {"replicas": 0}},
        {"web": {"replica": 2}},
        {"web": {"processes": -1}},
        {"settings": {"logLevel": "loud"}},
        {"settings": {"egressAllowPrivate": ["everything"]}},
        {"settings": {"trustedProxies": ["ingress-nginx"]}},
        {"secretKey": "x"},
    ]
    said = read_chart(*[VALUES | one for one in wrong])
    assert [one for one, read in zip(wrong, said, strict=True) if not read["errors"]] == []


def test_so_many_processes_serve_the_site_in_each_pod_as_the_values_say(
    chart: dict[str, Any], pods: dict[str, dict[str, Any]]
) -> None:
    said = {one["name"]: one.get("value") for one in container(pods["web"])["env"]}
    assert said["WEB_PROCESSES"] == "2"
    web = web_with({"web": {"processes": 6}})
    assert {"name": "WEB_PROCESSES", "value": "6"} in web["env"]
    assert web["command"][2] == site.__name__


def test_the_site_believes_the_ingress_controllers_that_the_values_name(
    pods: dict[str, dict[str, Any]],
) -> None:
    assert {"name": "TRUSTED_PROXIES", "value": ""} in container(pods["web"])["env"]
    web = web_with({"settings": {"trustedProxies": ["10.0.0.0/8", "fd00::/8"]}})
    assert {"name": "TRUSTED_PROXIES", "value": "10.0.0.0/8,fd00::/8"} in web["env"]


def web_with(values: dict[str, Any]) -> dict[str, Any]:
    (changed,) = read_chart(VALUES | values)
    (web,) = (
        one
        for one in changed["manifests"]
        if one["kind"] == "Deployment" and one["metadata"]["name"].endswith("-web")
    )
    return container(web)


def test_a_process_gets_what_it_reads_and_nothing_else(pods: dict[str, dict[str, Any]]) -> None:
    assert set(pods) == set(PARTS)
    for part in PARTS:
        given = names(container(pods[part]))
        own = set(fresh_secrets.may_read(part))
        required = {one.name for one in env.SETTINGS if one.default is None and one.name in own}
        # A gateway's token comes out of a file that holds no other's.
        assert given <= own, part
        assert required - given == ({"WORKER_TOKEN"} if part == "gateway" else set()), part


def test_secrets_come_from_the_process_s_own_secret_and_nowhere_else(pods: dict[str, dict[str, Any]]) -> None:
    secret = {one.name for one in env.SETTINGS if one.kind in (env.Kind.SECRET, env.Kind.KEYS)}
    secret |= {"DATABASE_URL", "CELERY_BROKER_URL", "LIMITER_URL", "WORKER_TOKENS"}
    for part, pod in pods.items():
        for variable in container(pod)["env"]:
            if variable["name"] in secret:
                assert variable["valueFrom"]["secretKeyRef"]["name"] == f"policylayer-{part}", variable
    assert [part for part in PARTS if "SIGNING_KEY" in names(container(pods[part]))] == ["worker"]
    gateway = names(container(pods["gateway"]))
    assert {"VERIFY_KEYS", "BUNDLE_KEYS"} <= gateway
    assert not {"SEALING_KEYS", "DATABASE_URL", "SECRET_KEY", "SIGNING_KEY"} & gateway


def test_a_gateway_sees_its_own_token_and_no_other(pods: dict[str, dict[str, Any]]) -> None:
    (mount,) = [one for one in container(pods["gateway"])["volumeMounts"] if one["name"] == "worker-tokens"]
    assert (mount["subPathExpr"], mount["readOnly"]) == ("$(WORKER_NAME)", True)
    assert pods["gateway"]["spec"]["volumeClaimTemplates"][0]["metadata"]["name"] == "data"


def test_nothing_runs_as_root_or_may_become_it(pods: dict[str, dict[str, Any]]) -> None:
    for pod in pods.values():
        spec = pod["spec"]["template"]["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] == 10001
        guarded = container(pod)["securityContext"]
        assert guarded["readOnlyRootFilesystem"] is True
        assert guarded["allowPrivilegeEscalation"] is False
        assert guarded["capabilities"] == {"drop": ["ALL"]}
        assert container(pod)["image"].endswith(f":{VERSION}")


def test_each_is_asked_whether_it_lives_and_whether_it_can_serve(pods: dict[str, dict[str, Any]]) -> None:
    for part in ("web", "internal", "gateway"):
        one = container(pods[part])
        assert one["livenessProbe"]["httpGet"]["path"] == "/healthz"
        assert one["readinessProbe"]["httpGet"]["path"] == "/readyz"
    (host,) = container(pods["web"])["readinessProbe"]["httpGet"]["httpHeaders"]
    assert host == {"name": "Host", "value": "policylayer.example.com"}
    assert "worker-alive" in str(container(pods["worker"])["livenessProbe"]["exec"])


def test_gateways_alone_reach_the_internal_listener(chart: dict[str, Any]) -> None:
    policy = of_kind(chart, "NetworkPolicy")["internal"]["spec"]
    (rule,) = policy["ingress"]
    (peer,) = rule["from"]
    assert peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "gateway"
    services = of_kind(chart, "Service").values()
    assert {service["spec"].get("type", "ClusterIP") for service in services} == {"ClusterIP"}
    backends = [
        path["backend"]["service"]["name"]
        for ingress in of_kind(chart, "Ingress").values()
        for rule in ingress["spec"]["rules"]
        for path in rule["http"]["paths"]
    ]
    assert sorted(backends) == ["pl-policylayer-gateway", "pl-policylayer-web"]


def test_no_gateway_may_call_into_a_private_network(chart: dict[str, Any]) -> None:
    rules = of_kind(chart, "NetworkPolicy")["gateway"]["spec"]["egress"]
    blocks = [peer["ipBlock"] for rule in rules for peer in rule.get("to", []) if "ipBlock" in peer]
    (block,) = blocks
    assert {"10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"} <= set(block["except"])
    assert 5432 not in [port["port"] for rule in rules for port in rule.get("ports", [])]


def test_every_policy_and_budget_means_pods_that_exist(
    chart: dict[str, Any], pods: dict[str, dict[str, Any]]
) -> None:
    labels = {part: pod["spec"]["template"]["metadata"]["labels"].items() for part, pod in pods.items()}
    assert set(of_kind(chart, "NetworkPolicy")) == set(PARTS)
    for part, policy in of_kind(chart, "NetworkPolicy").items():
        assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels[part]
    budgets = of_kind(chart, "PodDisruptionBudget")
    assert set(budgets) == {"web", "internal", "worker", "gateway"}
    for part, budget in budgets.items():
        assert budget["spec"]["selector"]["matchLabels"].items() <= labels[part]
    for name, service in of_kind(chart, "Service").items():
        assert service["spec"]["selector"].items() <= labels[name.removesuffix("-pods")]


def test_metrics_are_served_to_those_who_are_named_and_nowhere_unless_asked_for(
    pods: dict[str, dict[str, Any]],
) -> None:
    assert not {"METRICS_PORT", "METRICS_HOST"} & names(container(pods["gateway"]))
    prometheus = {"podSelector": {"matchLabels": {"app": "prometheus"}}}
    asked = {"gateway": {"metricsPort": 9100}, "networkPolicy": {"metricsFrom": [prometheus]}}
    (read,) = read_chart(VALUES | asked)
    assert (read["errors"], read["invalid"]) == ([], [])
    said = {
        one["name"]: one.get("value") for one in container(of_kind(read, "StatefulSet")["gateway"])["env"]
    }
    assert (said["METRICS_PORT"], said["METRICS_HOST"]) == ("9100", "$(POD_IP)")
    assert "$(POD_IP):9100" in str(said["OWN_LISTENERS"]).split(",")
    rules = of_kind(read, "NetworkPolicy")["gateway"]["spec"]["ingress"]
    assert {"ports": [{"port": 9100, "protocol": "TCP"}], "from": [prometheus]} in rules
    (internal,) = of_kind(read, "NetworkPolicy")["internal"]["spec"]["ingress"]
    assert internal["ports"] == [{"port": 8001, "protocol": "TCP"}] and prometheus in internal["from"]
    served = [port for one in of_kind(read, "Service").values() for port in one["spec"]["ports"]]
    assert {"name": "metrics", "port": 9100, "targetPort": "metrics"} in served


def test_web_and_worker_serve_their_metrics_to_those_who_are_named(
    pods: dict[str, dict[str, Any]], chart: dict[str, Any]
) -> None:
    prometheus = {"podSelector": {"matchLabels": {"app": "prometheus"}}}
    asked = {part: {"metricsPort": 9100} for part in ("web", "worker")}
    (read,) = read_chart(VALUES | asked | {"networkPolicy": {"metricsFrom": [prometheus]}})
    assert (read["errors"], read["invalid"]) == ([], [])
    opened = {"ports": [{"port": 9100, "protocol": "TCP"}], "from": [prometheus]}
    for part in asked:
        assert not {"METRICS_PORT", "METRICS_HOST"} & names(container(pods[part]))
        assert opened not in of_kind(chart, "NetworkPolicy")[part]["spec"]["ingress"]
        served = container(of_kind(read, "Deployment")[part])
        said = {one["name"]: one.get("value") for one in served["env"]}
        assert (said["METRICS_PORT"], said["METRICS_HOST"]) == ("9100", "$(POD_IP)")
        assert "$(POD_IP):9100" in str(said["OWN_LISTENERS"]).split(",")
        assert {"name": "metrics", "containerPort": 9100} in served["ports"]
        assert opened in of_kind(read, "NetworkPolicy")[part]["spec"]["ingress"]


def test_a_pod_that_ends_accepts_connections_until_nobody_sends_it_any(
    pods: dict[str, dict[str, Any]],
) -> None:
    for part in ("web", "internal", "gateway"):
        command = container(pods[part])["lifecycle"]["preStop"]["exec"]["command"]
        assert command == ["sleep", "5"], part
    grace = pods["gateway"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace >= 5 + Limits().drain_seconds + 5
    assert "lifecycle" not in container(pods["worker"])
