"""What the tests of the screens share."""

from __future__ import annotations

from collections.abc import Callable
from html import unescape

from django.http import HttpResponse
from django.test import Client

from accounts.models import Membership

SignedIn = Callable[[Membership], Client]
HTMX = {"HX-Request": "true"}


def page(answer: HttpResponse | object) -> str:
    """The markup as sent."""
    assert hasattr(answer, "content")
    return str(answer.content.decode())


def words(answer: HttpResponse | object) -> str:
    """The markup with its entities read, one white space between words."""
    return " ".join(unescape(page(answer)).split())
