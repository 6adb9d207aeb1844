#!/usr/bin/env python
"""Django's commands, and those that start before any of its settings can be read."""

import os
import sys
from pathlib import Path


def main() -> int:
    match sys.argv[1:]:
        case ["up", *arguments]:
            from config.supervisor import up

            return up.main(arguments)
        case ["demo", *arguments]:
            from config.supervisor import demo

            return demo.main(arguments)
        case ["secrets", *arguments]:
            from config.supervisor import fresh_secrets

            return fresh_secrets.main(arguments)
        case ["policy", *arguments]:
            from policies import commandline

            return commandline.main(arguments)
        case ["catalog", "classify", *arguments]:
            from catalog import commandline as classifier

            return classifier.main(arguments)
        case _:
            return _django_command()


def _django_command() -> int:
    from config.env import EnvironmentInvalid
    from config.supervisor.stops import CannotStart

    try:
        _join_running_product(sys.argv)
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)
    except (EnvironmentInvalid, CannotStart) as problem:
        print(problem, file=sys.stderr)  # noqa: T201
        if isinstance(problem, EnvironmentInvalid) and "--data-dir" not in " ".join(sys.argv):
            print("Beside a running `make up`: --data-dir .data", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _join_running_product(arguments: list[str]) -> None:
    """With --data-dir a command works on the product that runs there: its database, its keys."""
    from config.supervisor.running import adopt_environment

    for place, argument in enumerate(arguments[2:], start=2):
        name, equals, value = argument.partition("=")
        if name == "--data-dir" and (equals or place + 1 < len(arguments)):
            adopt_environment(Path(value if equals else arguments[place + 1]).absolute())


if __name__ == "__main__":
    sys.exit(main())
