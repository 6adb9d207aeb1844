"""A folder of policies, and the steps that make the organization match it.

`<server>/<policy>.json` is a policy, `<server>/<policy>.tests.json` the tests kept beside it. Servers and
policies are named as in the app. What is in the organization but not in the folder is left alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Final, Literal

from policies.language.compile import ToolFacts
from policylayer.client import Client, Refused
from policylayer.judging import facts, what_blocks
from policylayer.shapes import Diff, Policy, PolicySummary, Problem, Server, Tests

TESTS: Final = ".tests.json"
_NOT_IN_NAMES: Final = frozenset("/\\\0")
Verb = Literal["create", "change", "publish", "keep"]


class FolderInvalid(Exception):  # noqa: N818 - the word of the house
    """The folder does not fit the organization. The text says which file and why."""


@dataclass(frozen=True, slots=True)
class PolicyFile:
    path: Path
    server: str
    name: str
    text: str
    tests: str | None


@dataclass(frozen=True, slots=True)
class Known:
    """What the organization has, read once for a plan."""

    servers: dict[str, Server]
    policies: dict[tuple[str, str], PolicySummary]
    tools: dict[str, list[ToolFacts]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """`keep`: nothing is to be done. `publish`: the draft already matches, but it is not in force."""

    verb: Verb
    file: PolicyFile
    server: Server
    policy: Policy | None = None
    diff: Diff | None = None
    problems: tuple[Problem, ...] = ()
    tests_change: bool = False
    tests_etag: str = ""

    @property
    def is_change(self) -> bool:
        return self.verb != "keep" or self.tests_change


@dataclass(frozen=True, slots=True)
class Done:
    step: Step
    revision: str
    number: int


def read_folder(folder: Path) -> list[PolicyFile]:
    """Reads every policy of the folder. Raises FolderInvalid if there is no folder or no policy in it."""
    if not folder.is_dir():
        raise FolderInvalid(f"{folder} is not a folder. It would hold {folder}/<server>/<policy>.json.")
    paths = sorted(path for path in folder.glob("*/*.json") if not path.name.endswith(TESTS))
    if not paths:
        raise FolderInvalid(f"{folder} holds no policy. Write one to {folder}/<server>/<policy>.json.")
    return [_read(path) for path in paths]


def _read(path: Path) -> PolicyFile:
    beside = path.with_name(path.stem + TESTS)
    try:
        tests = beside.read_text("utf-8") if beside.exists() else None
        return PolicyFile(path, path.parent.name, path.stem, read_text(path), tests)
    except UnicodeDecodeError:
        raise FolderInvalid(f"{beside} is not UTF-8.") from None


def read_text(path: Path) -> str:
    """Reads the text unchanged, line endings and all."""
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError:
        raise FolderInvalid(f"{path} is not UTF-8.") from None


def plan(client: Client, files: Iterable[PolicyFile]) -> list[Step]:
    """Returns what would be done, what that would change and what would stop it. Changes nothing."""
    servers = {server.name: server for server in client.servers()}
    policies = {(one.server, one.name): one for one in client.policies()}
    known = Known(servers, policies)
    return [_step(client, file, known) for file in files]


def _step(client: Client, file: PolicyFile, known: Known) -> Step:
    server = known.servers.get(file.server)
    if server is None:
        near = get_close_matches(file.server, known.servers, n=3, cutoff=0.5)
        meant = f" Did you mean {' or '.join(near)}?" if near else ""
        raise FolderInvalid(
            f"{file.path}: there is no server named {file.server}.{meant} See: policylayer servers list"
        )
    if server.id not in known.tools:
        known.tools[server.id] = facts(client.tools(server.id))
    tools = known.tools[server.id]
    summary = known.policies.get((server.id, file.name))
    if summary is None:
        problems = what_blocks(file.text, file.tests, tools)
        return Step("create", file, server, problems=problems, tests_change=file.tests is not None)
    return _step_of(client, file, server, client.policy(summary.id), tools)


def _step_of(
    client: Client, file: PolicyFile, server: Server, policy: Policy, tools: list[ToolFacts]
) -> Step:
    try:
        changes = client.diff(policy.id, file.text)
    except Refused as refused:
        return Step("change", file, server, policy, problems=refused.errors)
    verb: Verb = "keep"
    if policy.document != file.text:
        verb = "change"
    elif policy.published_revision is None or not changes.is_empty:
        verb = "publish"
    kept = client.tests(policy.id)
    tests = json.dumps(kept.tests) if file.tests is None else file.tests
    differ = file.tests is not None and _differ(kept, file.tests)
    step = Step(verb, file, server, policy, changes, tests_change=differ, tests_etag=kept.etag)
    return replace(step, problems=what_blocks(file.text, tests, tools)) if step.is_change else step


def _differ(kept: Tests, text: str) -> bool:
    try:
        return bool(kept.tests != json.loads(text))
    except ValueError:
        return True  # the API says what is wrong with the tests


def apply(client: Client, step: Step, note: str) -> Done | None:
    """Saves the draft and the tests, and publishes. None if there was nothing to do. Raises Refused."""
    if not step.is_change:
        return None
    policy = _saved(client, step)
    if step.tests_change and step.file.tests is not None:
        # A policy created a moment ago has no tests that anyone could have changed.
        client.replace_tests(policy.id, step.file.tests, step.tests_etag or "*")
    published = client.publish(policy.id, note, policy.version)
    return Done(step, published.revision.id, published.revision.number)


def _saved(client: Client, step: Step) -> Policy:
    if step.policy is None:
        return client.create_policy(step.server.id, step.file.name, step.file.text)
    if step.verb == "change":
        return client.save_policy(step.policy.id, step.file.text, step.policy.version)
    return step.policy


def pull(client: Client, folder: Path) -> list[Path]:
    """Writes the draft and the tests of every policy to where `push` would look for them."""
    servers = {server.id: server for server in client.servers()}
    written: list[Path] = []
    for summary in client.policies():
        server = servers.get(summary.server)
        if server is None:
            continue  # retired
        policy, tests = client.policy(summary.id), client.tests(summary.id).tests
        path = folder / _part(server.name) / f"{_part(policy.name)}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(policy.document.encode())
        written.append(path)
        if tests:
            beside = path.with_name(path.stem + TESTS)
            beside.write_text(json.dumps(tests, indent=2, ensure_ascii=False) + "\n", "utf-8")
            written.append(beside)
    return written


def _part(name: str) -> str:
    """Refuses names that would lead out of the folder or be taken for another policy's tests."""
    if (
        name in {"", ".", ".."}
        or name.startswith(".")
        or name.endswith(".tests")
        or _NOT_IN_NAMES & set(name)
    ):
        raise FolderInvalid(f"{name!r} cannot be the name of a file. Rename it in the app first.")
    return name
