"""Two-step sign-in: allauth's, with its secrets sealed at rest like every other secret."""

from __future__ import annotations

from typing import Final

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings

from accounts.models import User
from common.sealing import Keyring
from common.user_agents import browser_words

# A person belongs to no organization; allauth does not say whose secret it is.
BOUND: Final = {"organization": "", "subject": "person", "purpose": "second-factor"}


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth has no types
    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": "That is not the current code. Look again: it changes every 30 seconds.",
        "unverified_email": "Confirm your e-mail address first, every one you have: it is the way back in.",
        "cannot_generate_recovery_codes": "Set up an authenticator app or a passkey first.",
    }

    def generate_authenticator_name(self, user: User, type: str) -> str:
        """What is proposed; a second one on the same machine is told apart by its number."""
        name = browser_words(self.request.headers.get("User-Agent", "")) or "Key"
        others = Authenticator.objects.filter(user=user, type=type).count()
        return f"{name} {others + 1}" if others else name

    def encrypt(self, text: str) -> str:
        return Keyring.parse(settings.SEALING_KEYS).seal(text.encode(), **BOUND)

    def decrypt(self, encrypted_text: str) -> str:
        return Keyring.parse(settings.SEALING_KEYS).open(encrypted_text, **BOUND).decode()
