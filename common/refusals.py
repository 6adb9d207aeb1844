"""What a service said no with, put into the form that asked: what the person typed is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from django.forms import BaseForm

from common.errors import Conflict, InvalidInput, LimitReached

REFUSED: Final = (InvalidInput, LimitReached, Conflict)
Refused: TypeAlias = InvalidInput | LimitReached | Conflict


def say_in_form(
    form: BaseForm,
    refused: Refused,
    *,
    fields: Mapping[str, str] | None = None,
    about: str | None = None,
) -> int:
    """The status to answer with. `fields`: names the service has for fields of the form; `about`: the field
    a conflict is about."""
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
