"""Settings of the embedded product on one machine, which `manage.py up` uses unless told otherwise."""

from config import env
from config.settings.base import *  # noqa: F403

if not env.mail_server():
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = DATA_DIR / "mail"  # noqa: F405
ALLOWED_HOSTS = [*ALLOWED_HOSTS, "localhost", "127.0.0.1", "[::1]"]  # noqa: F405
