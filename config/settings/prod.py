"""Settings for production, behind a proxy that terminates TLS."""

from config import env
from config.settings.base import *  # noqa: F403

if _mail := env.mail_server():
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_HOST, EMAIL_PORT = _mail.host, _mail.port
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail.user, _mail.password
    EMAIL_USE_SSL, EMAIL_USE_TLS = _mail.tls, not _mail.tls
    EMAIL_TIMEOUT = 10

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 31_536_000
SECURE_SSL_REDIRECT = False  # the proxy in front does that
