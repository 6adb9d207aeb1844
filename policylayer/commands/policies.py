"""Policies as files: judged here with the language itself, compared and published over the API."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from policies import commandline
from policylayer.client import Client, Refused, Unreachable
from policylayer.commands import Verbs, group, verb
from policylayer.commands.servers import find
from policylayer.folder import TESTS, Done, Step, apply, plan, pull, read_folder, read_text
from policylayer.judging import TEST_FAILED, facts, tool_value, what_blocks
from policylayer.output import CHANGES, FINE, PROBLEMS, USAGE, as_json, complain, say
from policylayer.shapes import Diff, Problem, Tool

_LAID_OUT = "holds SERVER/POLICY.json, and its tests in SERVER/POLICY.tests.json"


def add_to(verbs: Verbs) -> None:
    policies = group(verbs, "policies", "judge, compare and publish policies kept as files")
    command = verb(policies, "lint", _lint, "say what is wrong or doubtful in policies")
    command.add_argument("files", metavar="FILE", nargs="+", help="policies as JSON")
    command = _of_server(command)
    command = verb(policies, "test", _test, "run the tests kept beside a policy")
    command.add_argument("file", metavar="FILE", help="a policy as JSON")
    command.add_argument("tests", metavar="TESTS", nargs="?", help="default: FILE with .tests.json as ending")
    _of_server(command)
    command = verb(policies, "diff", _diff, "say what publishing a file would change")
    command.add_argument("file", metavar="FILE", type=Path, help="a policy as JSON")
    command.add_argument("--policy", help="its name; default: the file's")
    _of_server(command)
    command = verb(policies, "push", _push, "make the organization match a folder: plan, then apply")
    command.add_argument("folder", metavar="FOLDER", type=Path, help=_LAID_OUT)
    command.add_argument("--plan", action="store_true", help="only say what would be done")
    command.add_argument("--note", default="", help="why; kept with each revision")
    command.add_argument("--json", action="store_true", help="one JSON object for each policy")
    command = verb(policies, "pull", _pull, "write every policy and its tests into a folder")
    command.add_argument("folder", metavar="FOLDER", type=Path, help=_LAID_OUT)


def _of_server(command: argparse.ArgumentParser) -> argparse.ArgumentParser:
    command.add_argument("--server", required=True, help="name or id of the server whose tools it is about")
    return command


def _lint(client: Client, given: argparse.Namespace) -> int:
    tools = _tools_of(client, given.server)
    return USAGE if tools is None else _judged(tools, ["lint", *given.files])


def _test(client: Client, given: argparse.Namespace) -> int:
    file = Path(given.file)
    text, tests = read_text(file), read_text(Path(given.tests) if given.tests else file.with_suffix(TESTS))
    tools = _tools_of(client, given.server)
    if tools is None:
        return USAGE
    unreadable = [each for each in what_blocks(text, tests, facts(tools)) if each.code != TEST_FAILED]
    for problem in unreadable:
        say(f"{file}{_place(problem)}: {problem.message}")
    if unreadable:
        return PROBLEMS
    return _judged(tools, ["test", given.file, *filter(None, [given.tests])])


def _tools_of(client: Client, server_name: str) -> list[Tool] | None:
    """Returns None, and says so, if there is no such server."""
    server = find(client, server_name)
    return None if server is None else list(client.tools(server.id))


def _judged(tools: list[Tool], command: list[str]) -> int:
    """Runs the code that judges in the API and in the gateway, with the server's tools as known there."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as kept:
        json.dump([tool_value(tool) for tool in tools], kept)
        kept.flush()
        return commandline.main([command[0], "--tools", kept.name, *command[1:]])


def _diff(client: Client, given: argparse.Namespace) -> int:
    server = find(client, given.server)
    if server is None:
        return USAGE
    name = given.policy or given.file.stem
    for policy in client.policies():
        if (policy.server, policy.name) == (server.id, name):
            diff = client.diff(policy.id, read_text(given.file))
            if diff.is_empty:
                say("Publishing it would change nothing.")
            _print_diff(diff)
            return FINE
    complain(f"{server.name} has no policy named {name}.")
    return USAGE


def _push(client: Client, given: argparse.Namespace) -> int:
    steps = plan(client, read_folder(given.folder))
    for step in steps:
        _print_step(step, given.json)
    if any(step.problems for step in steps):
        complain("Nothing was done: mend the problems first.")
        return PROBLEMS
    wanted = [step for step in steps if step.is_change]
    if given.plan:
        return CHANGES if wanted else FINE
    for before, step in enumerate(wanted):
        try:
            done = apply(client, step, given.note)
        except (Refused, Unreachable):
            complain(f"{step.file.path} was not published; {_so_far(before)} before it.")
            raise
        if done is not None:
            _print_done(done, given.json)
    return FINE


def _so_far(count: int) -> str:
    return "nothing was" if count == 0 else "one policy was" if count == 1 else f"{count} policies were"


def _pull(client: Client, given: argparse.Namespace) -> int:
    written = pull(client, given.folder)
    for path in written:
        say(str(path))
    if not written:
        complain("There is no policy to write yet. Make one in the app, or: policylayer policies push FOLDER")
    return FINE


def _print_step(step: Step, in_json: bool) -> None:
    where = f"{step.file.server}/{step.file.name}"
    if in_json:
        as_json(
            {
                "policy": where,
                "do": step.verb,
                "tests_change": step.tests_change,
                "diff": step.diff,
                "problems": step.problems,
            }
        )
        return
    also = " and its tests" if step.tests_change and step.verb != "create" else ""
    say(f"{step.verb:<8} {where}{also}")
    for problem in step.problems:
        say(f"  {step.file.path}{_place(problem)}: {problem.message}")
    if step.diff is not None:
        _print_diff(step.diff)


def _place(problem: Problem) -> str:
    return f":{problem.line}:{problem.column}" if problem.line else ""


def _print_diff(diff: Diff) -> None:
    for word, changes in (("+", diff.looser), ("-", diff.tighter), ("~", diff.reworded)):
        for change in changes:
            of = f"{change.title}: " if change.title else ""
            say(f"  {word} {of}{change.sentence}")


def _print_done(done: Done, in_json: bool) -> None:
    where = f"{done.step.file.server}/{done.step.file.name}"
    if in_json:
        as_json({"policy": where, "revision": done.revision, "number": done.number})
    else:
        say(f"published {where} as revision {done.number}")
