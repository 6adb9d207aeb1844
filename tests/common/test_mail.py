from __future__ import annotations

from typing import Any

import pytest
from django.core import mail as outgoing

from common import mail

SITE = "https://layer.example"


@pytest.fixture
def site(settings: Any) -> None:
    settings.PUBLIC_URL = SITE


@pytest.mark.usefixtures("site")
def test_a_mail_is_a_page_with_a_button_and_the_same_words_as_text() -> None:
    mail.send(
        "Confirm", f"To confirm:\n\n{SITE}/go/?a=1&b=2\n\n--\nPolicyLayer\n", "a@example.com", "Confirm it"
    )

    message = outgoing.outbox[-1]
    page = page_of(message)
    assert message.body.startswith("To confirm:")
    assert f'href="{SITE}/go/?a=1&amp;b=2">Confirm it</a>' in page
    assert "--" not in page.partition("</style>")[2]


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    "theirs",
    [
        "https://evil.example/",
        f"{SITE}.evil.example/",
        f"{SITE}@evil.example/",
        "javascript:alert(1)",
        f'{SITE}/"><b>x</b> y',
    ],
)
def test_what_strangers_are_called_never_leads_anywhere(theirs: str) -> None:
    mail.send("A call waits", f"asked\n{theirs}\n", "a@example.com")

    page = page_of(outgoing.outbox[-1]).partition("PolicyLayer</a>")[2].partition("</div>")[0]
    assert "<a " not in page
    assert "<b>" not in page


@pytest.mark.usefixtures("site")
def test_a_mail_asks_nobody_for_anything() -> None:
    mail.send("A call waits", "asked", "a@example.com")

    page = page_of(outgoing.outbox[-1])
    assert not any(mark in page for mark in ("<img", "<link", "<script", "url(", "@import", "src="))


def test_a_subject_is_one_short_line() -> None:
    mail.send("a\nBcc: x@example.com\r\n" + "b" * 400, "asked", "a@example.com")

    subject = outgoing.outbox[-1].subject
    assert "\n" not in subject and "\r" not in subject
    assert len(subject) == mail.LONGEST_SUBJECT


def page_of(message: Any) -> str:
    [(page, kind)] = message.alternatives
    assert kind == "text/html"
    return str(page)
