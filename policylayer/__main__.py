"""`policylayer`: the API from the shell.

Ends with 0 if all is well, 1 if the API refused or did not answer, 2 for a wrong command, 3 for a policy with
problems, 4 for failed tests, 5 if `push --plan` found something to do.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from policylayer.client import Client, Refused, Unreachable
from policylayer.commands import approvals, grants, policies, servers, session, tail
from policylayer.folder import FolderInvalid
from policylayer.login import NotLoggedIn, find
from policylayer.output import FAILED, FINE, PROBLEMS, USAGE, complain

_WHAT_TO_DO = {
    "unauthenticated": "Make another in the app, under Settings, API keys; then: policylayer login URL.",
}
# What the API says about these is about headers, which a command does not have.
_INSTEAD = {
    "stale": "Someone changed it meanwhile, and nothing of theirs was overwritten. Look at it in the app,"
    " then run this again.",
}
COMMANDS = (session, servers, policies, grants, tail, approvals)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _parser()
    given = parser.parse_args(arguments)
    if not hasattr(given, "run"):
        parser.print_help(sys.stderr)
        return USAGE
    try:
        if given.without_login:
            return int(given.run(given))
        login = find()
        with Client(login.url, login.key) as client:
            return int(given.run(client, given))
    except (NotLoggedIn, FolderInvalid) as wrong:
        complain(str(wrong))
        return USAGE
    except Refused as refused:
        return _explained(refused)
    except Unreachable as unreachable:
        complain(str(unreachable))
        return FAILED
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has closed the pipe
        return FINE
    except OSError as wrong:
        complain(f"{wrong.filename or 'A file'}: {wrong.strerror or wrong}.")
        return USAGE
    except KeyboardInterrupt:
        return 130


def _explained(refused: Refused) -> int:
    asked_wrongly = bool(refused.errors) and all(error.parameter for error in refused.errors)
    if not asked_wrongly:
        complain(_INSTEAD.get(refused.kind) or f"{refused} {_WHAT_TO_DO.get(refused.kind, '')}".rstrip())
    for error in refused.errors:
        if error.parameter:
            complain(f"--{error.parameter}: {error.message}")
            continue
        place = f"{error.line}:{error.column} " if error.line else ""
        complain(f"  {place}{error.pointer or '(document)'}: {error.message}")
    return PROBLEMS if refused.kind == "invalid_policy" else FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "policylayer", description="PolicyLayer from the shell.", epilog=(__doc__ or "").split("\n\n", 1)[1]
    )
    parser.add_argument("--version", action="version", version=f"policylayer {_version()}")
    verbs = parser.add_subparsers(metavar="COMMAND")
    for command in COMMANDS:
        command.add_to(verbs)
    return parser


def _version() -> str:
    try:
        return version("policylayer")
    except PackageNotFoundError:
        return "from its source"


def run() -> None:
    """The entry point of the installed command."""
    sys.exit(main())


if __name__ == "__main__":
    run()
