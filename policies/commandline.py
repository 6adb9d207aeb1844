"""The policy language from the shell: files in, JSON or sentences out. No database, no settings."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Protocol

from policies.language.batch import answer_line, conversion_value, problem_values
from policies.language.canonical import canonical_text
from policies.language.cases import TestsInvalid, name_of, read_tests, run_tests
from policies.language.compile import CompiledPolicy, ToolFacts, compile_policy
from policies.language.convert import convert
from policies.language.diff import Changes, changes_value, diff
from policies.language.document import Document
from policies.language.lint import LintFinding, Severity, lint
from policies.language.loose_json import RequestInvalid, read_loose
from policies.language.parse import parse_policy
from policies.language.problems import PolicyInvalid, Problem
from policies.language.schema import schema_text
from policies.language.steps import World, as_json, read_tools
from policies.language.text_tree import TextTree

FINE: Final = 0
USAGE: Final = 2
PROBLEMS: Final = 3
TESTS_FAILED: Final = 4
_ABOUT: Final = "Lint, test, try, convert, tidy and compare policies. FILE may be - for standard input."
_ENDINGS: Final = "Ends with 0 if all is well, 2 for a wrong command, 3 for problems, 4 for failed tests."


class Output(Protocol):
    def write(self, text: str, /) -> object: ...

    def isatty(self) -> bool: ...


class Usage(Exception):  # noqa: N818 - the word of the house
    """The command cannot be carried out as it was given."""


def main(arguments: Sequence[str], out: Output | None = None) -> int:
    out = out or sys.stdout
    _speak_utf8(out)
    try:
        given = _parser().parse_args(arguments)
        return int(given.run(given, out))
    except (Usage, RequestInvalid) as usage:
        print(usage, file=sys.stderr)  # noqa: T201
        return USAGE
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has closed the pipe
        return FINE


def _speak_utf8(out: Output) -> None:
    reconfigure = getattr(out, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(encoding="utf-8", errors="backslashreplace")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("manage.py policy", description=_ABOUT, epilog=_ENDINGS)
    verbs = parser.add_subparsers(metavar="COMMAND", required=True)

    def verb(name: str, run: object, about: str, *, tools: bool = True) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=about, description=about, epilog=_ENDINGS)
        made.set_defaults(run=run)
        if tools:
            made.add_argument(
                "--tools", metavar="T.json", help="the server's tools, with classes and schemas"
            )
        return made

    command = verb("lint", _lint, "say what is wrong or doubtful in policies")
    command.add_argument("files", metavar="FILE", nargs="+")
    command.add_argument("--json", action="store_true", help="one JSON object for each file")
    command = verb("test", _test, "run the tests kept beside a policy")
    command.add_argument("policy", metavar="FILE")
    command.add_argument("tests", metavar="TESTS", nargs="?", help="default: FILE with .tests.json as ending")
    command.add_argument("--json", action="store_true", help="one JSON object for each test")
    command = verb("decide", _decide, "decide calls, one JSON decision a line, on a virtual clock")
    command.add_argument("--policy", metavar="P", required=True)
    command.add_argument(
        "--calls", metavar="C.jsonl", required=True, help="a call, or a person's answer, a line"
    )
    command = verb("convert", _convert, "turn a policy of another dialect into one of this language")
    command.add_argument("file", metavar="FILE")
    command.add_argument("--json", action="store_true", help="the policy and the whole report as JSON")
    command = verb("canonical", _canonical, "print the canonical text of a policy", tools=False)
    command.add_argument("file", metavar="FILE")
    command = verb("diff", _diff, "say what a policy lets through that another does not, and the reverse")
    command.add_argument("old", metavar="OLD")
    command.add_argument("new", metavar="NEW")
    command.add_argument("--json", action="store_true", help="the changes as JSON")
    command = verb("batch", _batch, "answer each line of questions with one line", tools=False)
    command.add_argument("file", metavar="FILE.jsonl")
    verb("schema", _schema, "print the JSON Schema of policies, for editors", tools=False)
    return parser


# The commands


def _lint(given: argparse.Namespace, out: Output) -> int:
    tools, wrong = _tools(given.tools), False
    for file in given.files:
        found = findings(_read(file), tools)
        wrong = wrong or any(row["severity"] == Severity.ERROR for row in found)
        if given.json:
            _print(out, as_json({"file": file, "problems": found}))
            continue
        for row in found:
            place = f"{file}:{row['line']}:{row['column']}: {row['severity']} {row['code']}"
            _print(
                out,
                f"{place} {row['pointer'] or '(document)'}: {row['message']}",
            )
        if not found:
            _print(out, f"{file}: no problems")
    return PROBLEMS if wrong else FINE


def findings(raw: bytes, tools: list[ToolFacts]) -> list[dict[str, object]]:
    """Returns what is wrong or, if nothing is, what is doubtful. Only errors block publishing."""
    try:
        document = parse_policy(raw)
    except PolicyInvalid as invalid:
        return [{**row, "severity": str(Severity.ERROR)} for row in problem_values(invalid.problems)]
    tree = TextTree(raw.decode())
    return [_finding_value(finding, tree) for finding in lint(document, tools)]


def _finding_value(finding: LintFinding, tree: TextTree) -> dict[str, object]:
    # The linter points into the canonical form: for shorthand, only the rule can be found in the text.
    line, column = tree.start_of(finding.pointer)
    return {
        "pointer": finding.pointer,
        "code": finding.code,
        "message": finding.message,
        "line": line,
        "column": column,
        "severity": str(finding.severity),
    }


def _test(given: argparse.Namespace, out: Output) -> int:
    beside = Path(given.policy).with_suffix(".tests.json")
    raw = _read(given.tests or str(beside))
    compiled = _compiled(given.policy, given.tools, out)
    if compiled is None:
        return PROBLEMS
    try:
        results = run_tests(compiled, read_tests(raw))
    except TestsInvalid as invalid:
        return _print_problems(out, invalid.problems)
    for result in results:
        if given.json:
            value = {
                "name": result.test.name,
                "passed": result.passed,
                "outcome": str(result.decision.outcome),
            }
            _print(out, as_json({**value, "rule": result.decision.rule, "message": result.sentence}))
        else:
            _print(
                out, f"{'ok    ' if result.passed else 'FAILED'} {name_of(result.test)}: {result.sentence}"
            )
    failed = sum(not result.passed for result in results)
    if not given.json:
        _print(out, f"{len(results) - failed} of {len(results)} tests pass.")
    return TESTS_FAILED if failed else FINE


def _decide(given: argparse.Namespace, out: Output) -> int:
    compiled = _compiled(given.policy, given.tools, out)
    if compiled is None:
        return PROBLEMS
    world = World(compiled)
    for number, line in enumerate(_lines(given.calls), 1):
        try:
            answer = world.step(read_loose(line))
        except RequestInvalid as invalid:
            raise Usage(f"{given.calls}, line {number}: {invalid}") from None
        if answer is not None:
            _print(out, as_json(answer))
    return FINE


def _convert(given: argparse.Namespace, out: Output) -> int:
    made = convert(_read(given.file), _tools(given.tools))
    if given.json:
        _print(out, as_json(conversion_value(made)))
        return PROBLEMS if made.problems else FINE
    for word, notes in (("changed", made.changed), ("not kept", made.not_kept)):
        for note in notes:
            print(f"{word} {note.pointer or '(document)'}: {note.message}", file=sys.stderr)  # noqa: T201
    if made.policy_text is None:
        return _print_problems(out, made.problems)
    _write_policy(out, made.policy_text)
    return FINE


def _canonical(given: argparse.Namespace, out: Output) -> int:
    document = _document(given.file, out)
    if document is None:
        return PROBLEMS
    _write_policy(out, canonical_text(document))
    return FINE


def _diff(given: argparse.Namespace, out: Output) -> int:
    tools = _tools(given.tools)
    old, new = _document(given.old, out), _document(given.new, out)
    if old is None or new is None:
        return PROBLEMS
    names = [tool.name for tool in tools] or _named(old, new)
    changes = diff(compile_policy(old, tools), compile_policy(new, tools), names)
    if given.json:
        _print(out, as_json(changes_value(changes)))
    else:
        _print_changes(out, changes)
    return FINE


def _named(old: Document, new: Document) -> list[str]:
    """Returns the tools that the policies name, for use when no list of tools is given."""
    written = (*old.hide, *old.tools, *new.hide, *new.tools)
    return [name for name in dict.fromkeys(written) if "*" not in name]


def _print_changes(out: Output, changes: Changes) -> None:
    for title, rows in (
        ("Looser", changes.looser),
        ("Tighter", changes.tighter),
        ("In words", changes.reworded),
    ):
        if rows:
            _print(out, f"{title}, {len(rows)}")
        for change in rows:
            _print(out, f"  {change.title}: {change.sentence}")
    if changes.nothing:
        _print(out, "Nothing changes for any call.")


def _batch(given: argparse.Namespace, out: Output) -> int:
    understood = True
    for line in _lines(given.file):
        answer, was_understood = answer_line(line)
        understood = understood and was_understood
        _print(out, answer)
    return FINE if understood else USAGE


def _schema(given: argparse.Namespace, out: Output) -> int:
    out.write(schema_text())
    return FINE


# Files


def _read(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise Usage(f"{file} cannot be read: {error.strerror}.") from None


def _text(file: str) -> str:
    try:
        return _read(file).decode("utf-8")
    except UnicodeDecodeError:
        raise Usage(f"{file} is not UTF-8.") from None


def _lines(file: str) -> Iterable[str]:
    # Only line feeds end a line: JSON may hold the other line separators of Unicode.
    return (line for line in _text(file).split("\n") if line.strip())


def _tools(file: str | None) -> list[ToolFacts]:
    if file is None:
        return []
    try:
        return read_tools(read_loose(_text(file)))
    except RequestInvalid as invalid:
        raise Usage(f"{file}: {invalid}") from None


def _document(file: str, out: Output) -> Document | None:
    """Parses the policy. Prints its problems and returns None if it has any."""
    try:
        return parse_policy(_read(file))
    except PolicyInvalid as invalid:
        _print_problems(out, invalid.problems)
        return None


def _compiled(file: str, tools: str | None, out: Output) -> CompiledPolicy | None:
    facts, document = _tools(tools), _document(file, out)
    return None if document is None else compile_policy(document, facts)


def _print_problems(out: Output, problems: Iterable[Problem]) -> int:
    _print(out, as_json({"problems": problem_values(problems)}))
    return PROBLEMS


def _write_policy(out: Output, text: str) -> None:
    # Exactly the policy, byte for byte. On a terminal, a line end keeps the shell's prompt on its own line.
    out.write(text + ("\n" if out.isatty() else ""))


def _print(out: Output, line: str) -> None:
    out.write(line + "\n")
