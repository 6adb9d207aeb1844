"""Settings for production, behind a proxy that terminates TLS."""

from config.settings.base import *  # noqa: F403

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 31_536_000
SECURE_SSL_REDIRECT = False  # the proxy in front does that
