"""A Django form field in our markup: label, control, hint, error, and what ties them together."""

from __future__ import annotations

from typing import Any

from django.core.validators import validate_email
from django.forms import (
    BaseForm,
    BoundField,
    CheckboxInput,
    CheckboxSelectMultiple,
    Field,
    PasswordInput,
    RadioSelect,
    Select,
    Textarea,
    Widget,
)
from django.utils.safestring import SafeData

from common.templatetags._text import visible_plain

_KINDS: tuple[tuple[type[Widget], str, str], ...] = (
    (CheckboxSelectMultiple, "choices", "cb"),
    (RadioSelect, "choices", "cb"),
    (CheckboxInput, "checkbox", "cb"),
    (Select, "select", "select w-full"),
    (Textarea, "textarea", "textarea w-full"),
    (PasswordInput, "password", "input w-full"),
)


def field_context(bound: BoundField, options: dict[str, Any]) -> dict[str, Any]:
    """Options: label, hint, placeholder, classes, autofocus, optional (says so beside the label)."""
    kind, classes = _kind(bound.field.widget)
    hint = _hint(options.get("hint", bound.help_text))
    # The framework ties a field to its help text, also where another hint or none is shown.
    bound.help_text = hint
    attrs: dict[str, Any] = {"class": " ".join(filter(None, [classes, options.get("classes", "")]))}
    for name in ("placeholder", "autofocus", "autocomplete", "inputmode", "rows"):
        if name in options:
            attrs[name] = options[name]
    said = [f"{bound.auto_id}_{part}" for part, there in (("hint", hint), ("error", bound.errors)) if there]
    if said:
        attrs["aria-describedby"] = " ".join(said)
    if bound.errors:
        attrs["aria-invalid"] = "true"
        attrs["class"] += " bad-in"
    return {
        "field": bound,
        "messages": messages(bound),
        "kind": kind,
        "id": bound.id_for_label or bound.auto_id,
        "auto_id": bound.auto_id,
        "label": options.get("label", bound.label),
        "hint": hint,
        "optional": not bound.field.required and options.get("optional", True) and kind != "checkbox",
        "control": bound.as_widget(attrs=attrs),
    }


def _hint(said: object) -> str:
    """A hint may contain a name that a stranger chose."""
    words = str(said or "")
    return words if isinstance(words, SafeData) else visible_plain(words)


def _kind(widget: Widget) -> tuple[str, str]:
    return next(
        ((kind, classes) for of, kind, classes in _KINDS if isinstance(widget, of)), ("input", "input w-full")
    )


# Our words for some of the framework's messages.
_SAID = {
    str(validate_email.message): "This is not an e-mail address: one looks like name@example.com.",
}


def messages(bound: BoundField, *, named: bool = False) -> list[str]:
    """`named`: for a place away from the field, where "this" would say nothing."""
    empty = str(Field.default_error_messages["required"])
    said = f"{bound.label}: fill this in." if named else "Fill this in."
    return [said if message == empty else _SAID.get(str(message), str(message)) for message in bound.errors]


def summary_context(form: BaseForm, title: str) -> dict[str, Any]:
    entries = [("", message) for message in form.non_field_errors()]
    for bound in form:
        target = bound.id_for_label or bound.auto_id
        entries += [(target, message) for message in messages(bound, named=True)]
    count = "One thing" if len(entries) == 1 else f"{len(entries)} things"
    return {"entries": entries, "title": f"{title or 'Nothing was saved.'} {count} to mend:"}
