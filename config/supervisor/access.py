"""The roles that connect to the database, and the variables in which their passwords are passed."""

from urllib.parse import quote, urlsplit, urlunsplit

APP = "policylayer_app"
WORKER = "policylayer_worker"

SUPERUSER_PASSWORD = "POSTGRES_PASSWORD"  # noqa: S105 - the name of a variable
APP_ROLE_PASSWORD = "APP_ROLE_PASSWORD"  # noqa: S105
WORKER_ROLE_PASSWORD = "WORKER_ROLE_PASSWORD"  # noqa: S105
# Names and tokens of the gateways to enrol, as JSON; passed from the supervisor to its `prepare`.
PREPARE_WORKERS = "PREPARE_WORKERS"


def url_as(admin_url: str, role: str, password: str) -> str:
    """Return the URL of the same database for another role."""
    parts = urlsplit(admin_url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role}:{quote(password, safe='')}@{place}"))
