"""`manage.py staff`: whoever runs the product says whose accounts are staff."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tests.cast import Cast
from tests.roles import as_owner


def run(*arguments: str) -> str:
    out = StringIO()
    with as_owner():
        call_command("staff", *arguments, stdout=out)
    return out.getvalue()


def test_the_list_names_staff_only_and_no_longer_who_was_removed(cast: Cast) -> None:
    dave, alice = cast.dave.user.email, cast.alice.user.email
    run("add", dave.upper())
    run("add", alice)
    assert run("list").splitlines() == sorted([alice, dave])
    run("remove", dave)
    assert run("list").splitlines() == [alice]


@pytest.mark.parametrize("act", ["add", "remove"])
def test_an_address_without_an_account_is_refused_and_makes_nobody_staff(cast: Cast, act: str) -> None:
    with pytest.raises(CommandError, match="No account has this e-mail address"):
        run(act, "nobody@example.com")
    assert run("list") == ""
