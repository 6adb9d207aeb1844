"""Settings for tests and type checking. tests/conftest.py fills in the database once a server is running."""

import base64
import os

_KEY = base64.b64encode(bytes(range(32))).decode()

for name, value in {
    "SECRET_KEY": "tests-only-" + "x" * 40,
    "SEALING_KEYS": f"s1:{_KEY}",
    "ARGUMENT_KEYS": f"a1:{_KEY}",
    "BUNDLE_KEYS": f"b1:{_KEY}",
    "SIGNING_KEY": f"k1:{_KEY}",
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/policylayer",
    "DATA_DIR": os.environ.get("POLICYLAYER_TEST_DIR", "/tmp/policylayer-tests"),  # noqa: S108
    "EGRESS_ALLOW_PRIVATE": "127.0.0.0/8,::1/128",
}.items():
    os.environ[name] = value

from config.settings.base import *  # noqa: E402, F403

ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Its routes are probed like all others.
ADMIN_ENABLED = True
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
CACHES = {
    name: {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": name}
    for name in ("default", "requests")
}
CELERY_BROKER_URL = "memory://"
DATABASES["default"]["OPTIONS"].pop("pool")  # noqa: F405 - roles are switched per connection in tests
