"""Checks that a browser is still signed in, for requests that waited for a lock or that stay open."""

from __future__ import annotations

from importlib import import_module
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest


def is_signed_in_still(session_key: str | None, user_id: UUID) -> bool:
    """Return False if the session has ended in the meantime, or the password was changed."""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    return bool(get_user(request).pk == user_id)
