"""Mail as text and, made from that same text, as a page: what a mail says is written once."""

from __future__ import annotations

from dataclasses import dataclass
from email.errors import MessageError

from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.template.loader import render_to_string

LONGEST_SUBJECT = 200
_SIGNATURE = "\n--\n"


@dataclass(frozen=True, slots=True)
class Line:
    text: str
    leads_to: str = ""


def send(subject: str, text: str, to: str, action: str = "Open it") -> None:
    """`action`: the label of the button above an address of ours that is alone on a line."""
    # A subject is one line, whatever a tool or an organization is called.
    message = EmailMultiAlternatives("".join(subject.splitlines())[:LONGEST_SUBJECT], text, None, [to])
    attach_page(message, action)
    message.send()


def can_be_mailed(address: str) -> bool:
    """False for well-formed addresses that cannot be in a mail's header: some would end the line."""
    if not address.isprintable():
        return False
    try:
        EmailMessage(to=[address]).message().as_bytes()
    except (ValueError, MessageError):
        return False
    return True


def attach_page(message: EmailMultiAlternatives, action: str) -> None:
    said = str(message.body).replace("\r\n", "\n").rpartition(_SIGNATURE)[0] or str(message.body)
    context = {
        "subject": message.subject,
        "paragraphs": [[_line(line) for line in part.splitlines()] for part in _paragraphs(said)],
        "action": action,
        "site": settings.PUBLIC_URL.rstrip("/"),
    }
    message.attach_alternative(render_to_string("mail.html", context), "text/html")


def _paragraphs(text: str) -> list[str]:
    return [part.strip("\n") for part in text.split("\n\n") if part.strip()]


def _line(line: str) -> Line:
    # Only what leads to us becomes a button: strangers choose the names of tools and agents.
    word = line.strip()
    ours = word.startswith(settings.PUBLIC_URL.rstrip("/") + "/") and not any(c.isspace() for c in word)
    return Line(word, word if ours else "")
