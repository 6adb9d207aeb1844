from __future__ import annotations

from django import forms

from approvals.services import LONGEST_LIMIT, LONGEST_NOTE, SHORTEST_LIMIT

OWN_CALLS = (
    ("", "Only while nobody else in the organization could answer"),
    ("no", "Never: somebody else always answers"),
    ("yes", "Always: whoever may approve may approve their own"),
)


class NoteForm(forms.Form):
    note = forms.CharField(max_length=LONGEST_NOTE, required=False)


class RulesForm(forms.Form):
    minutes = forms.IntegerField(
        label="Time to answer, in minutes",
        min_value=SHORTEST_LIMIT // 60,
        max_value=LONGEST_LIMIT // 60,
        help_text="A call waits so long for an answer, and once approved so long for the agent to repeat it.",
        error_messages={
            "required": "Choose a time from 1 minute to 24 hours.",
            "invalid": "Write whole minutes, such as 15.",
            "min_value": "Choose a time from 1 minute to 24 hours.",
            "max_value": "Choose a time from 1 minute to 24 hours.",
        },
    )
    own_calls = forms.ChoiceField(
        label="Calls of a grant one holds oneself",
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
