"""Shows a service's refusal where it was asked: in a form, which keeps what was typed, or in a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from django.forms import BaseForm

from common.errors import Conflict, InvalidInput, LimitReached

REFUSED: Final = (InvalidInput, LimitReached, Conflict)
Refused: TypeAlias = InvalidInput | LimitReached | Conflict


@dataclass(frozen=True, slots=True)
class Refusal:
    """The refusal of something pressed in a list: `about` is the id of its row."""

    about: str
    said: str
    status: int

    @classmethod
    def of(cls, about: str, refused: Conflict | LimitReached) -> Refusal:
        return cls(about, refused.message, 429 if isinstance(refused, LimitReached) else 409)


def say_in_form(
    form: BaseForm,
    refused: Refused,
    *,
    fields: Mapping[str, str] | None = None,
    about: str | None = None,
) -> int:
    """Adds the errors and returns the status to answer with. `fields`: the form's field by the service's
    name for it; `about`: the field that a conflict is about."""
    match refused:
        case InvalidInput():
            for said, sentences in refused.field_errors.items():
                name = (fields or {}).get(said, said)
                for sentence in sentences:
                    form.add_error(name if name in form.fields else None, sentence)
            return 422
        case LimitReached():
            form.add_error(None, refused.message)
            return 429
        case Conflict():
            form.add_error(about, refused.message)
            return 409
