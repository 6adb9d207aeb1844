from __future__ import annotations

from django import forms

from approvals.services import LONGEST_LIMIT, SHORTEST_LIMIT
from common.spans import SpanField

OWN_CALLS = (
    ("", "Only while nobody else in the organization could answer"),
    ("no", "Never: someone else always answers"),
    ("yes", "Always: anyone who may approve may approve their own"),
)


class RulesForm(forms.Form):
    seconds = SpanField(
        label="Time to answer",
        shortest=SHORTEST_LIMIT,
        longest=LONGEST_LIMIT,
        such_as="15 minutes",
        help_text="How long a call waits for an answer and, once approved, for the agent to repeat it. "
        "From 1 minute to 1 day.",
    )
    own_calls = forms.ChoiceField(
        label="Calls of grants you hold yourself",
        choices=OWN_CALLS,
        required=False,
        widget=forms.RadioSelect,
    )

    @property
    def self_approval(self) -> bool | None:
        return {"yes": True, "no": False}.get(self.cleaned_data["own_calls"])


class WebhookForm(forms.Form):
    url = forms.CharField(
        label="URL",
        max_length=2000,
        help_text="We send a signed POST there when one of these happens.",
        error_messages={"required": "Write the whole URL, with https:// and without a password in it."},
    )
