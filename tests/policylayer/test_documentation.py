"""What the page on the command line says is what the command knows."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import ruamel.yaml

from policylayer import output
from policylayer.__main__ import _parser

PAGE = (Path(__file__).parents[2] / "docs" / "user" / "command-line.md").read_text()


def words_of(parser: argparse.ArgumentParser, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield from words_of(inner, (*before, name))
            return
    yield before


def test_every_command_stands_on_the_page() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `policylayer")]
    for words in words_of(_parser()):
        if words == ("login",):
            assert "policylayer login https://" in PAGE
            continue
        of_group = [row.split("|")[1] for row in rows if row.startswith(f"| `policylayer {words[0]}")]
        assert any(re.search(rf"\b{words[-1]}\b", row) for row in of_group), words


def test_every_way_it_ends_stands_on_the_page() -> None:
    told = {int(number) for number in re.findall(r"^\| (\d) \|", PAGE, re.M)}
    assert told == {
        output.FINE,
        output.FAILED,
        output.USAGE,
        output.PROBLEMS,
        output.TESTS_FAILED,
        output.CHANGES,
    }


def test_the_pipeline_on_the_page_is_one_and_uses_commands_there_are() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
    workflow = ruamel.yaml.YAML(typ="safe").load(text)
    runs = [step["run"] for step in workflow["jobs"]["policies"]["steps"] if "run" in step]
    commands = [line for run in runs for line in run.splitlines() if "bin/policylayer" in line]
    assert len(commands) == 2
    for line in commands:
        words = shlex.split(line.split("bin/policylayer ", 1)[1].split(" ||")[0])
        given = _parser().parse_args(words)
        assert given.run is not None
