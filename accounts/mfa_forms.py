"""The forms in which a browser sends a passkey's response. Anything forged is refused, whatever it is."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from allauth.mfa.webauthn import forms
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from django.core.exceptions import ValidationError

# fido2 parses whatever it is given and raises whichever of these happens to occur.
_UNREADABLE = (
    *(KeyError, IndexError, TypeError, ValueError, AttributeError, AssertionError),
    *(struct.error, InvalidSignature, UnsupportedAlgorithm),
)


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except _UNREADABLE:
        raise ValidationError("The key was not accepted. Try again.") from None


class AddForm(forms.AddWebAuthnForm):  # type: ignore[misc]  # allauth has no types
    def clean(self) -> dict[str, Any]:
        with _readable():
            return dict(super().clean())


class _Used:
    def clean_credential(self) -> Any:
        with _readable():
            return super().clean_credential()  # type: ignore[misc]


class AuthenticateForm(_Used, forms.AuthenticateWebAuthnForm):  # type: ignore[misc]
    pass


class LoginForm(_Used, forms.LoginWebAuthnForm):  # type: ignore[misc]
    pass


class ReauthenticateForm(_Used, forms.ReauthenticateWebAuthnForm):  # type: ignore[misc]
    pass
