"""The alerts ask for metrics that a gateway has, and the runbook says what to do about each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from gateway.config_store import ConfigStore
from gateway.decision_log import DecisionLog
from gateway.metrics import Metrics
from gateway_config.wire.signing import VerifyKeys
from tests.deploy.files import DEPLOY


@pytest.fixture(scope="module")
def rules() -> list[dict[str, Any]]:
    (group,) = YAML(typ="safe").load(DEPLOY / "prometheus-rules.yaml")["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


async def test_alerts_ask_for_what_a_gateway_that_has_just_started_already_counts(
    rules: list[dict[str, Any]], tmp_path: Path
) -> None:
    decisions = DecisionLog(tmp_path / "spool", worker="gw-1")
    try:
        text = Metrics().text(ConfigStore(tmp_path / "config", VerifyKeys({})), decisions)
    finally:
        decisions.close()
    declared = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    asked = {name for rule in rules for name in re.findall(r"policylayer_[a-z_]+", rule["expr"])}
    assert {name.removesuffix("_bucket") for name in asked} <= declared
    for code in {code for rule in rules for code in re.findall(r'code="(\w*)"', rule["expr"])}:
        assert f'code="{code}"}} 0\n' in text, code


def test_the_runbook_says_what_to_do_about_each_alert(rules: list[dict[str, Any]]) -> None:
    rows = re.findall(r"^\| `(PolicyLayer\w+)` \|", (DEPLOY / "RUNBOOK.md").read_text(), re.MULTILINE)
    assert rows == [rule["alert"] for rule in rules]
