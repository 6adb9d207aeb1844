"""`policylayer` as a person or a pipeline uses it: what it prints, what it does, how it ends."""

from __future__ import annotations

import io
import json
import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import cast as cast_to
from uuid import uuid4

import httpx
import pytest
from django.utils import timezone

from accounts.models import Organization
from audit.models import DecisionRecord
from policies.models import Policy
from policies.services import save_draft
from policylayer import __main__ as command
from policylayer import login
from policylayer.client import Client, Unreachable
from policylayer.commands import session, tail
from policylayer.folder import Done, Step, apply
from policylayer.shapes import Decision, Scan
from servers.models import ServerCredential, Tool
from tests.approvals.calls import waiting as waiting_call
from tests.cast import POLICY, Acme, Cast, inside
from tests.policylayer.conftest import SCOPES, URL
from tests.roles import as_worker

Run = Callable[..., tuple[int, str, str]]
LOOSER = POLICY.replace('"max": 30', '"max": 300')
PASSES = '[{"name": "stays", "call": {"tool": "delete_user"}, "expect": "deny"}]'
FAILS = PASSES.replace("deny", "allow")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("POLICYLAYER_URL", "POLICYLAYER_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def key(cast: Cast, api_key: Callable[..., str]) -> str:
    return api_key(cast.alice, *SCOPES)


@pytest.fixture
def run(
    key: str,
    transport: httpx.BaseTransport,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    for module in (command, session):
        monkeypatch.setattr(module, "Client", partial(Client, transport=transport))
    monkeypatch.setenv("POLICYLAYER_URL", URL)
    monkeypatch.setenv("POLICYLAYER_KEY", key)

    def go(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = command.main(words)
        said = capsys.readouterr()
        assert key not in said.out + said.err
        return code, said.out, said.err

    return go


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    server = tmp_path / "policies" / "AWS IAM"
    server.mkdir(parents=True)
    (server / "agents.json").write_text(POLICY)
    return server.parent


def test_logging_in_keeps_the_key_for_its_owner_alone(
    run: Run, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("POLICYLAYER_URL")
    monkeypatch.delenv("POLICYLAYER_KEY")
    assert run("whoami")[0] == 2
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{key}\n"))
    code, out, _ = run("login", f"{URL}/")
    assert code == 0 and "alice@example.com (owner)" in out
    assert stat.S_IMODE(login.file().stat().st_mode) == 0o600
    assert run("whoami")[1].startswith("alice@example.com, owner")
    assert key not in repr(login.find())


@pytest.mark.parametrize("url", ["http://policylayer.example.com", "ftp://x", "x", "https://u:p@x.example"])
def test_a_key_is_sent_nowhere_it_could_be_read(run: Run, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("plk_x\n"))
    assert run("login", url)[0] == 2


def test_servers_and_tools_are_listed(run: Run, acme: Acme) -> None:
    assert "AWS IAM" in run("servers", "list")[1]
    code, out, _ = run("servers", "tools", "AWS IAM")
    assert code == 0 and out.splitlines()[1].split() == ["delete_user", "Destructive", "Critical"]
    assert (
        json.loads(run("servers", "tools", "AWS IAM", "--json")[1].splitlines()[0])["class"] == "Destructive"
    )
    code, _, err = run("servers", "tools", "Nothing")
    assert code == 2 and "There is no server Nothing" in err


def test_a_policy_is_judged_with_the_servers_own_tools(run: Run, acme: Acme, folder: Path) -> None:
    file = folder / "AWS IAM" / "agents.json"
    assert run("policies", "lint", str(file), "--server", "AWS IAM")[0] == 0
    file.write_text(POLICY.replace("create_access_key", "creat_access_key"))
    _, out, _ = run("policies", "lint", str(file), "--server", "AWS IAM")
    assert "creat_access_key" in out
    file.write_text("{")
    assert run("policies", "lint", str(file), "--server", "AWS IAM")[0] == 3
    file.write_text(POLICY)
    for tests, ends in ((PASSES, 0), (FAILS, 4)):
        file.with_name("agents.tests.json").write_text(tests)
        assert run("policies", "test", str(file), "--server", "AWS IAM")[0] == ends


def test_a_folder_is_planned_applied_and_then_nothing_is_left_to_do(
    run: Run, acme: Acme, cast: Cast, folder: Path
) -> None:
    (folder / "AWS IAM" / "new.json").write_text(LOOSER)
    (folder / "AWS IAM" / "new.tests.json").write_text(PASSES)
    code, out, _ = run("policies", "push", str(folder), "--plan")
    assert (code, out.split("\n")[0].split()) == (5, ["publish", "AWS", "IAM/agents"])
    assert "create   AWS IAM/new" in out
    with inside(cast.alice):
        assert Policy.objects.count() == 1
    code, out, _ = run("policies", "push", str(folder), "--note", "from git")
    assert code == 0 and "published AWS IAM/new as revision 1" in out
    assert run("policies", "push", str(folder), "--plan")[0] == 0
    (folder / "AWS IAM" / "agents.json").write_text(LOOSER)
    code, out, _ = run("policies", "push", str(folder), "--plan", "--json")
    steps = [json.loads(line) for line in out.splitlines()]
    assert [step["do"] for step in steps] == ["change", "keep"]
    assert steps[0]["diff"]["looser"]
    assert "300" in run("policies", "diff", str(folder / "AWS IAM" / "agents.json"), "--server", "AWS IAM")[1]


def test_a_folder_with_problems_changes_nothing(run: Run, acme: Acme, cast: Cast, folder: Path) -> None:
    (folder / "AWS IAM" / "agents.json").write_text('{"version": "1", "default": "denyy"}')
    code, out, err = run("policies", "push", str(folder))
    assert code == 3 and "agents.json:1:" in out and "Nothing was done" in err
    with inside(cast.alice):
        assert Policy.objects.get().draft == POLICY


def test_a_test_that_fails_keeps_its_policy_out_of_force(
    run: Run, acme: Acme, cast: Cast, folder: Path
) -> None:
    (folder / "AWS IAM" / "agents.tests.json").write_text(FAILS)
    for words in (("--plan",), ()):
        code, out, err = run("policies", "push", str(folder), *words)
        assert code == 3 and "delete_user is denied" in out and "Nothing was done" in err
    with inside(cast.alice):
        policy = Policy.objects.get()
        assert policy.published_revision is None and policy.version == 1


def test_tests_kept_in_the_app_alone_count_in_a_plan_too(run: Run, acme: Acme, folder: Path) -> None:
    tests = folder / "AWS IAM" / "agents.tests.json"
    tests.write_text(PASSES)
    assert run("policies", "push", str(folder))[0] == 0
    tests.unlink()
    (folder / "AWS IAM" / "agents.json").write_text('{"version": "1", "default": "allow"}')
    code, out, _ = run("policies", "push", str(folder))
    assert code == 3 and 'The test "stays" fails' in out


@pytest.mark.parametrize(
    ("policy", "tests", "said"),
    [
        ('{"version": "1", "default": "denyy"}', PASSES, "new.json:1:29: "),
        (POLICY, "[{}]", "Line 1 of its tests"),
        (POLICY, FAILS, 'The test "stays" fails'),
    ],
)
def test_a_new_policy_that_could_not_be_published_is_not_even_made(
    run: Run, acme: Acme, cast: Cast, folder: Path, policy: str, tests: str, said: str
) -> None:
    """Nor is what stands before it in the folder."""
    (folder / "AWS IAM" / "new.json").write_text(policy)
    (folder / "AWS IAM" / "new.tests.json").write_text(tests)
    for words in (("--plan",), ()):
        code, out, err = run("policies", "push", str(folder), *words)
        assert code == 3 and said in out and "Nothing was done" in err
    with inside(cast.alice):
        assert Policy.objects.get().published_revision is None


@pytest.mark.parametrize("where", ["missing", "empty", "unknown server"])
def test_a_folder_that_fits_nothing_is_told_so(run: Run, acme: Acme, tmp_path: Path, where: str) -> None:
    folder = tmp_path / "other"
    if where != "missing":
        folder.mkdir()
    if where == "unknown server":
        (folder / "Nobody").mkdir()
        (folder / "Nobody" / "x.json").write_text(POLICY)
    code, _, err = run("policies", "push", str(folder))
    assert code == 2 and str(folder) in err


def test_what_is_pulled_is_what_push_would_keep(run: Run, acme: Acme, folder: Path, tmp_path: Path) -> None:
    (folder / "AWS IAM" / "agents.tests.json").write_text(PASSES)
    assert run("policies", "push", str(folder))[0] == 0
    pulled = tmp_path / "pulled"
    assert run("policies", "pull", str(pulled))[0] == 0
    assert (pulled / "AWS IAM" / "agents.json").read_text() == POLICY
    assert run("policies", "push", str(pulled), "--plan")[0] == 0
    said = run("policies", "diff", str(pulled / "AWS IAM" / "agents.json"), "--server", "AWS IAM")
    assert said == (0, "Publishing it would change nothing.\n", "")


@pytest.mark.parametrize("name", ["../../up", ".hidden", "agents.tests", "a\\b"])
def test_names_lead_out_of_no_folder_and_hide_no_tests(
    run: Run, acme: Acme, cast: Cast, tmp_path: Path, name: str
) -> None:
    with inside(cast.alice):
        Policy.objects.update(name=name)
    code, _, err = run("policies", "pull", str(tmp_path / "pulled"))
    assert code == 2 and "cannot be the name of a file" in err


def test_a_file_that_cannot_be_read_or_written_is_named(
    run: Run, acme: Acme, folder: Path, tmp_path: Path
) -> None:
    missing = str(tmp_path / "none.json")
    code, _, err = run("policies", "diff", missing, "--server", "AWS IAM", "--policy", "agents")
    assert code == 2 and missing in err and "No such file" in err
    (folder / "AWS IAM" / "agents.json").write_bytes(b"\xff")
    assert "is not UTF-8" in run("policies", "push", str(folder))[2]
    (tmp_path / "taken").write_text("a file")
    code, _, err = run("policies", "pull", str(tmp_path / "taken"))
    assert code == 2 and "taken" in err


def test_line_endings_are_the_writers_own(run: Run, acme: Acme, folder: Path, tmp_path: Path) -> None:
    text = POLICY.replace("{", "{\r\n", 1).encode()
    (folder / "AWS IAM" / "agents.json").write_bytes(text)
    assert run("policies", "push", str(folder))[0] == 0
    assert run("policies", "push", str(folder), "--plan")[0] == 0
    assert run("policies", "pull", str(tmp_path / "pulled"))[0] == 0
    assert (tmp_path / "pulled" / "AWS IAM" / "agents.json").read_bytes() == text


def test_a_server_that_needs_a_header_is_told_its_value_and_nobody_else(
    run: Run, cast: Cast, acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A scan is waited for outside of this test's transaction.
    monkeypatch.setattr(Client, "scan", lambda *_: Scan("ready", 3, []))
    monkeypatch.setattr("sys.stdin", io.StringIO("Bearer of-the-server\n"))
    _, out, err = run("servers", "add", "Vault", "https://vault.example/mcp", "--header", "Authorization")
    assert "Vault is registered" in out and "3 tools were found" in out
    assert "of-the-server" not in out + err
    with inside(cast.alice):
        assert ServerCredential.objects.filter(server__name="Vault").exists()


def test_a_grant_is_issued_once_and_revoked(run: Run, acme: Acme) -> None:
    code, out, _ = run("grants", "issue", "AWS IAM", "ci", "--policy", "agents", "--json")
    issued = json.loads(out)
    assert code == 0 and issued["token"].startswith("plg_")
    listed = run("grants", "list")[1]
    assert issued["token"] not in listed and "AWS IAM  agents" in listed
    assert "is revoked" in run("grants", "revoke", issued["id"])[1]
    assert run("grants", "issue", "AWS IAM", "ci", "--policy", "none")[0] == 2
    assert run("grants", "revoke", "grt_x")[0] == 1


def test_the_tail_shows_what_was_decided_oldest_first_and_nothing_a_terminal_obeys(
    run: Run, cast: Cast, acme: Acme
) -> None:
    with as_worker():
        for sequence, tool in enumerate(["list_users", "delete_\x1b[2Juser"]):
            DecisionRecord.objects.create(
                id=uuid4(),
                organization_id=cast.alice.organization_id,
                worker="gw-1",
                sequence=sequence,
                at=f"2026-01-01T00:00:0{sequence}Z",
                server_id=acme.server.pk,
                grant_id=acme.grant.pk,
                method="tools/call",
                tool=tool,
                outcome="deny",
                code="default_deny",
                rule="(default deny)",
                config_revision=1,
                argument_names=[],
                added_us=90,
            )
    code, out, _ = run("tail", "--no-follow")
    assert code == 0 and "\x1b" not in out
    assert [line.split()[2] for line in out.splitlines()] == ["list_users", "delete_\\x1b[2Juser"]
    assert len(run("tail", "--no-follow", "-n", "1", "--json")[1].splitlines()) == 1
    assert run("tail", "--no-follow", "--outcome", "allow")[1] == ""
    assert run("tail", "--no-follow", "-n", "0")[1] == ""


def test_a_tail_begins_where_it_was_told_and_outlives_a_restart_over_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`-n 0` shows what is new and nothing before; what came while nobody answered is shown once."""
    log = [_decision("dec_1"), _decision("dec_2")]

    class Restarting:
        asked = 0

        def decisions(self, **filters: str) -> Iterator[Decision]:
            self.asked += 1
            if self.asked in (2, 3):
                raise Unreachable("the site does not answer: refused.")
            if self.asked == 4:
                log.extend([_decision("dec_3"), _decision("dec_4")])
            if self.asked == 6:
                raise KeyboardInterrupt
            return iter(log[::-1])

    monkeypatch.setattr("policylayer.commands.tail.time.sleep", lambda _: None)
    seen = tail.decisions(cast_to(Client, Restarting()), {}, 0, follow=True)
    assert [next(seen).id, next(seen).id] == ["dec_3", "dec_4"]
    with pytest.raises(KeyboardInterrupt):
        next(seen)
    assert capsys.readouterr().err.count("Trying again") == 1


def test_a_tail_says_when_more_was_added_meanwhile_than_it_reads(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = [_decision("dec_0")]

    class Busy:
        def decisions(self, **filters: str) -> Iterator[Decision]:
            return iter(log[::-1])

    monkeypatch.setattr("policylayer.commands.tail.time.sleep", lambda _: None)
    monkeypatch.setattr("policylayer.commands.tail.MOST_BEHIND", 2)
    seen = tail.decisions(cast_to(Client, Busy()), {}, 1, follow=True)
    assert next(seen).id == "dec_0"
    log += [_decision("dec_1"), _decision("dec_2")]
    assert [next(seen).id, next(seen).id] == ["dec_1", "dec_2"]
    assert capsys.readouterr().err == ""
    log += [_decision("dec_3"), _decision("dec_4"), _decision("dec_5")]
    assert [next(seen).id, next(seen).id] == ["dec_4", "dec_5"]
    assert "More than 2 decisions were made meanwhile." in capsys.readouterr().err


def _decision(pk: str) -> Decision:
    return Decision(pk, "2027-01-01T00:00:00Z", "srv_1", "grt_1", "allow", "list_users", "/tools/list_users")


def test_what_waits_is_listed_and_answered(run: Run, acme: Acme, cast: Cast) -> None:
    with inside(cast.alice):
        Organization.objects.update(self_approval=True)
    first, second = waiting_call(acme, {"n": 1}), waiting_call(acme, {"n": "\x1b[2J"})
    listed = run("approvals", "list")[1]
    assert first.public_id in listed and "AWS IAM" in listed and "\x1b" not in listed
    code, out, _ = run("approvals", "approve", first.public_id, "--note", "fine")
    assert code == 0 and "is approved" in out
    assert "is declined" in run("approvals", "decline", second.public_id)[1]
    code, _, err = run("approvals", "approve", second.public_id)
    assert code == 1 and "declined" in err
    assert run("approvals", "list")[1] == ""
    assert len(run("approvals", "list", "--all", "--json")[1].splitlines()) == 2


@pytest.mark.parametrize(
    ("words", "then"),
    [
        (("servers", "list"), "policylayer servers add NAME URL"),
        (("grants", "list"), "policylayer grants issue SERVER LABEL --policy NAME"),
        (("approvals", "list"), "policylayer approvals list --all"),
        (("approvals", "list", "--all"), "A rule that asks for approval"),
        (("policies", "pull", "nothing"), "policylayer policies push FOLDER"),
        (("tail", "--no-follow"), "leave out --no-follow"),
    ],
)
def test_where_there_is_nothing_to_list_a_sentence_says_what_to_run(
    run: Run, words: tuple[str, ...], then: str
) -> None:
    code, out, err = run(*words)
    assert (code, out) == (0, "") and then in err and err.count("\n") == 1
    if words[0] != "policies":
        assert run(*words, "--json") == (0, "", "")


def test_a_server_without_tools_says_how_to_look_again(run: Run, cast: Cast, acme: Acme) -> None:
    with inside(cast.alice):
        Tool.objects.update(removed_at=timezone.now())
    code, out, err = run("servers", "tools", "AWS IAM")
    assert (code, out) == (0, "") and err.endswith(f"policylayer servers scan {acme.server.public_id}\n")
    assert run("servers", "tools", "AWS IAM", "--json") == (0, "", "")


def test_names_are_left_out_where_the_key_may_not_read_them(
    run: Run, acme: Acme, cast: Cast, api_key: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLICYLAYER_KEY", api_key(cast.alice, "grants:read", "approvals:read"))
    waiting_call(acme, {"n": 1})
    for words in (("grants", "list"), ("approvals", "list")):
        code, out, _ = run(*words)
        assert code == 0 and acme.server.public_id in out


def test_approvals_are_listed_and_one_that_is_none_is_refused(run: Run, acme: Acme) -> None:
    assert run("approvals", "list")[0] == 0
    code, _, err = run("approvals", "approve", "apr_x")
    assert (code, err) == (1, "There is no approval apr_x. See: policylayer approvals list\n")
    for verb in ("revoke", "rotate"):
        code, _, err = run("grants", verb, acme.server.public_id)
        assert code == 1 and err.endswith("See: policylayer grants list\n")


def test_a_key_that_is_no_good_is_told_where_to_get_another(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLICYLAYER_KEY", "plk_" + "0" * 33)
    code, _, err = run("whoami")
    assert code == 1 and "Settings, API keys" in err and "policylayer login URL" in err


def test_an_address_where_nobody_answers_or_somebody_else_is_named_whole(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def elsewhere(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/me/"):
            return httpx.Response(404, text="<h1>Not Found</h1>")
        raise httpx.ConnectError("[Errno 111] Connection refused")

    silent = partial(Client, transport=httpx.MockTransport(elsewhere), pause=lambda _: None)
    monkeypatch.setattr(command, "Client", silent)
    monkeypatch.setenv("POLICYLAYER_URL", "https://example.com:9")
    said = (
        "https://example.com:9 does not answer: Connection refused. Is the address right, and does it run?\n"
    )
    code, _, err = run("servers", "list")
    assert (code, err) == (1, said)
    code, _, err = run("whoami")
    assert code == 1 and err.startswith("https://example.com:9 answered 404 Not Found")
    assert "Is this the address of the site?" in err


def test_what_the_log_is_asked_wrongly_is_named_as_the_command_has_it(run: Run, acme: Acme) -> None:
    code, _, err = run("tail", "--no-follow", "--since", "yesterday")
    assert code == 1 and err.startswith("--since: Write date") and "URL" not in err
    assert run("tail", "--no-follow", "--server", "AWS IAM")[0] == 0
    code, _, err = run("tail", "--no-follow", "--server", "Nobody")
    assert code == 2 and "policylayer servers list" in err
    for count in ("-3", "x"):
        with pytest.raises(SystemExit) as ended:
            run("tail", "--no-follow", "-n", count)
        assert ended.value.code == 2


def test_a_server_that_is_spelt_wrongly_is_guessed_and_not_all_are_listed(
    run: Run, acme: Acme, folder: Path
) -> None:
    (folder / "AWS IAM").rename(folder / "AWS-IAM")
    code, _, err = run("policies", "push", str(folder))
    assert code == 2 and "no server named AWS-IAM. Did you mean AWS IAM?" in err


def test_a_difference_names_the_tools_it_is_about(run: Run, acme: Acme, folder: Path) -> None:
    file = folder / "AWS IAM" / "agents.json"
    file.write_text(POLICY.replace('"create_access_key"', '"delete_user"', 1))
    out = run("policies", "diff", str(file), "--server", "AWS IAM")[1]
    assert "+ delete_user: Becomes callable" in out and "~ create_access_key, list_users" in out


def test_tests_that_cannot_be_read_are_told_in_sentences(run: Run, acme: Acme, folder: Path) -> None:
    file = folder / "AWS IAM" / "agents.json"
    file.with_name("agents.tests.json").write_text("[")
    code, out, _ = run("policies", "test", str(file), "--server", "AWS IAM")
    assert code == 3 and "of its tests: The text ends here" in out and not out.startswith("{")
    file.with_name("agents.tests.json").unlink()
    code, _, err = run("policies", "test", str(file), "--server", "AWS IAM")
    assert code == 2 and "agents.tests.json: No such file" in err


def test_an_edit_in_between_is_neither_overwritten_nor_hidden(
    run: Run, acme: Acme, cast: Cast, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody saves in the app after the plan was made and before it is carried out."""
    (folder / "AWS IAM" / "agents.json").write_text(LOOSER)
    theirs = POLICY.replace('"max": 30', '"max": 31')

    def later(client: Client, step: Step, note: str) -> Done | None:
        with inside(cast.alice):
            save_draft(cast.alice, Policy.objects.get(), theirs)
        return apply(client, step, note)

    monkeypatch.setattr("policylayer.commands.policies.apply", later)
    code, out, err = run("policies", "push", str(folder))
    assert code == 1 and "published" not in out
    assert "agents.json was not published; nothing was before it." in err
    assert "Look at it in the app" in err and "ETag" not in err
    with inside(cast.alice):
        assert Policy.objects.get().draft == theirs
