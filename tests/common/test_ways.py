from __future__ import annotations

from uuid import uuid4

import pytest
from django.template import Context, Template
from django.urls import NoReverseMatch, reverse

from common.templatetags._ways import address
from tests.steps import steps

KNOWN = (
    ("overview", ()),
    ("grants:detail", ("grt_01",)),
    ("approvals:redeliver", ("whk_01", "msg_02")),
    ("policies:revision", ("pol_01", "3")),
    ("servers:tool", ("srv_01", str(uuid4()))),
    ("catalog:server", ("a-b-c",)),
)
HOSTILE = ("a b", "é", "%s", "{0}", "'><b>", "blank0", "a?b#c", "100%")


@pytest.mark.parametrize(("view", "ids"), KNOWN)
def test_an_address_is_what_the_patterns_say(view: str, ids: tuple[str, ...]) -> None:
    assert address(view, *ids) == reverse(view, args=ids)


@pytest.mark.parametrize("word", HOSTILE)
def test_a_word_with_signs_is_quoted_as_ever(word: str) -> None:
    assert address("grants:detail", word) == reverse("grants:detail", args=[word])
    assert address("approvals:redeliver", word, "blank1") == reverse(
        "approvals:redeliver", args=[word, "blank1"]
    )


@pytest.mark.parametrize(
    ("view", "ids"),
    [("grants:detail", ("",)), ("grants:detail", ("a/b",)), ("nowhere", ()), ("overview", ("a",))],
)
def test_what_has_no_address_gets_none(view: str, ids: tuple[str, ...]) -> None:
    with pytest.raises(NoReverseMatch):
        address(view, *ids)
    assert drawn("{% url view one as there %}[{{ there }}]", view=view, one="/") == "[]"


def test_the_tag_escapes_what_it_shows_and_keeps_what_it_names() -> None:
    assert drawn('{% url "grants:detail" one %}', one="it's") == "/grants/it&#x27;s/"
    assert drawn('{% url "grants:detail" one as there %}{{ there }}', one="it's") == "/grants/it&#x27;s/"
    assert drawn('{% url "grants:detail" grant_id=one %}', one="grt_1") == "/grants/grt_1/"


def test_an_address_costs_a_few_steps() -> None:
    address("grants:detail", "grt_1")
    assert steps(lambda: address("grants:detail", "grt_2")) <= 25


def drawn(text: str, **given: str) -> str:
    return Template(text).render(Context(given))
