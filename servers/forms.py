from __future__ import annotations

from django import forms
from django.http import QueryDict

from servers.models import Server

HEADER_ROWS = 8
# The fields of the form, by the names that the services use in their problems.
FIELDS = {"headers": "auth_kind"}


class ServerForm(forms.Form):
    """A server's name, address and credential. Header values are never sent back to the browser."""

    name = forms.CharField(label="Name", max_length=80, help_text="What your team calls it.")
    upstream_url = forms.CharField(
        label="Server URL",
        max_length=2000,
        help_text="The MCP endpoint, such as https://mcp.example.com/mcp. A key belongs in a header below,"
        " which is sealed, not in the URL.",
        widget=forms.TextInput(attrs={"inputmode": "url", "spellcheck": "false", "class": "font-mono"}),
    )
    auth_kind = forms.ChoiceField(
        label="How do we sign in?",
        choices=[("none", "Nothing"), ("headers", "Headers")],
        initial="none",
        required=False,
        widget=forms.RadioSelect,
    )

    def header_rows(self) -> list[tuple[int, str]]:
        """Returns `(row, header name as typed)` for the template."""
        known = [*self.initial.get("header_names", ()), *[""] * HEADER_ROWS]
        return [(row, self.data.get(f"header_name_{row}", known[row])) for row in range(HEADER_ROWS)]

    def headers(self) -> dict[str, str]:
        """Returns the typed headers, without empty rows; half a row is kept, for the service to refuse."""
        if self.cleaned_data.get("auth_kind") != "headers":
            return {}
        found: dict[str, str] = {}
        for row in range(HEADER_ROWS):
            name = self.data.get(f"header_name_{row}", "").strip()
            value = self.data.get(f"header_value_{row}", "").strip()
            if name or value:
                found[name] = value
        return found

    def clean(self) -> dict[str, object]:
        cleaned = super().clean() or {}
        if cleaned.get("auth_kind") == "headers" and not self.headers():
            self.add_error("auth_kind", "Give at least one header, or choose Nothing.")
        return cleaned


class ConnectionForm(ServerForm):
    """The form for an existing server: its credential stays unless another is given or none is wanted."""

    def __init__(self, data: QueryDict | None, server: Server) -> None:
        sealed = server.auth_kind == Server.Auth.HEADERS
        start = {"name": server.name, "upstream_url": server.upstream_url}
        super().__init__(data, initial=start | {"auth_kind": "keep" if sealed else "none"})
        if sealed:
            self.fields["auth_kind"].choices = [  # type: ignore[attr-defined]
                ("keep", "As it is"),
                ("none", "Nothing"),
                ("headers", "New headers"),
            ]
