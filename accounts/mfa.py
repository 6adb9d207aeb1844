"""Two-step sign-in by allauth, with its secrets sealed at rest like every other secret."""

from __future__ import annotations

from typing import Final

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings

from accounts.models import User
from common.sealing import Keyring
from common.user_agents import browser_words

# What the seal is bound to. A person belongs to no single organization, and allauth does not say whose secret
# it is.
BOUND: Final = {"organization": "", "subject": "person", "purpose": "second-factor"}


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth has no types
    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": "That is not the current code. Look again: it changes every 30 seconds.",
        "unverified_email": "Confirm your e-mail address first, every one you have: it is the way back in.",
        "cannot_generate_recovery_codes": "Set up an authenticator app or a passkey first.",
    }

    def generate_authenticator_name(self, user: User, type: str) -> str:
        """Suggest a name; further keys of one type are told apart by a number."""
        name = browser_words(self.request.headers.get("User-Agent", "")) or "Key"
        others = Authenticator.objects.filter(user=user, type=type).count()
        return f"{name} {others + 1}" if others else name

    def encrypt(self, text: str) -> str:
        return Keyring.parse(settings.SEALING_KEYS).seal(text.encode(), **BOUND)

    def decrypt(self, encrypted_text: str) -> str:
        return Keyring.parse(settings.SEALING_KEYS).open(encrypted_text, **BOUND).decode()
