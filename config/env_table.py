"""Every environment variable of the product; docs/settings.md shows the same table."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    TEXT = "text"
    INTEGER = "whole number"
    BOOLEAN = "yes or no"
    URL = "URL"
    LIST = "comma-separated list"
    SECRET = "secret"  # noqa: S105 - the name of a kind, not a secret
    KEYS = "id:base64, comma-separated"
    DATABASE = "PostgreSQL URL"
    NETWORKS = "comma-separated networks"
    LISTENERS = "comma-separated ip:port"


@dataclass(frozen=True, slots=True)
class Setting:
    """`default` is written as an operator would write it. None: required; empty: optional."""

    name: str
    kind: Kind
    default: str | None
    description: str
    read_by: str = "web, internal, worker"


_EVERY_DJANGO = "web, internal, worker"

SETTINGS: list[Setting] = [
    Setting("DATABASE_URL", Kind.DATABASE, None, "The database, with the role this process may use."),
    Setting("SECRET_KEY", Kind.SECRET, None, "Signs sessions and one-time links; at least 32 characters."),
    Setting(
        "SEALING_KEYS",
        Kind.KEYS,
        None,
        "Seal secrets in the database: 32 bytes each; the first seals, all open.",
        "web, worker",
    ),
    Setting(
        "ARGUMENT_KEYS",
        Kind.KEYS,
        "",
        "Seal the arguments of calls that wait for approval: 32 bytes each; the first seals, all open.",
        "web, internal",
    ),
    Setting(
        "BUNDLE_KEYS",
        Kind.KEYS,
        None,
        "Seal upstream credentials inside bundles: 32 bytes each; the first seals, all open.",
        "worker, gateway",
    ),
    Setting(
        "SIGNING_KEY", Kind.KEYS, None, "The Ed25519 seed (32 bytes) that signs bundles. One key.", "worker"
    ),
    Setting(
        "VERIFY_KEYS",
        Kind.KEYS,
        None,
        "The Ed25519 public keys (32 bytes each) whose bundles a gateway accepts.",
        "gateway",
    ),
    Setting("CELERY_BROKER_URL", Kind.TEXT, "", "Carries Celery's messages; empty: a folder in DATA_DIR."),
    Setting(
        "CACHE_URL",
        Kind.TEXT,
        "",
        "Where request counters are kept, redis://…; empty: under DATA_DIR, separately on each machine.",
        "web",
    ),
    Setting("API_REQUESTS_A_MINUTE", Kind.INTEGER, "6000", "REST requests of one key or person.", "web"),
    Setting(
        "API_REQUESTS_A_MINUTE_UNKNOWN",
        Kind.INTEGER,
        "120",
        "REST requests that one address may send in a minute without a valid key.",
        "web",
    ),
    Setting(
        "AUDIT_RETENTION_DAYS",
        Kind.INTEGER,
        "400",
        "For how many days audit events are kept; at least 365, the most that decisions are.",
        "web, worker",
    ),
    Setting("DATA_DIR", Kind.TEXT, ".data", "Where everything that must outlive a process is kept.", "all"),
    Setting("PORT", Kind.INTEGER, "8000", "The web port.", "web"),
    Setting(
        "WEB_PROCESSES",
        Kind.INTEGER,
        "0",
        "How many processes serve the site; 0: one for each core it may use, at most four.",
        "up, web",
    ),
    Setting(
        "INTERNAL_PORT",
        Kind.INTEGER,
        "",
        "Where gateways fetch their configuration under `up`. Empty: the one after PORT.",
        "internal",
    ),
    Setting("GATEWAY_PORT", Kind.INTEGER, "8100", "The port agents connect to.", "gateway"),
    Setting("GATEWAY_HOST", Kind.TEXT, "127.0.0.1", "The address the gateway listens on.", "gateway"),
    Setting(
        "GATEWAY_SHARED_PORT",
        Kind.BOOLEAN,
        "no",
        "Several gateways of this machine listen on GATEWAY_PORT together.",
        "gateway",
    ),
    Setting(
        "METRICS_PORT",
        Kind.INTEGER,
        "",
        "Where a process serves its metrics; empty: nowhere. Under `up`, it is for gateways alone, and the"
        " second uses the next port, and so on: the internal listener has the metrics of all the others.",
        "web, worker, gateway",
    ),
    Setting(
        "METRICS_HOST",
        Kind.TEXT,
        "127.0.0.1",
        "The address that metrics are served on. Whoever reaches it can read them; they name no organization,"
        " tool or person.",
        "web, worker, gateway",
    ),
    Setting(
        "HANDOVER_DIR",
        Kind.TEXT,
        "",
        "Where gateways of one machine hand messages to each other; empty: a folder under DATA_DIR.",
        "gateway",
    ),
    Setting(
        "HANDOVER_ADDRESS",
        Kind.LISTENERS,
        "",
        "This gateway's ip:port on a private network, where those of other machines hand it messages;"
        " empty: none."
        " With several gateways under `up`, the second uses the next port, and so on.",
        "gateway",
    ),
    Setting(
        "CONTROL_URL",
        Kind.URL,
        "http://127.0.0.1:8001",
        "The internal listener that a gateway gets its configuration from.",
        "gateway",
    ),
    Setting("WORKER_NAME", Kind.TEXT, "gw-1", "The gateway's name on the Workers page.", "gateway"),
    Setting("WORKER_TOKEN", Kind.SECRET, None, "What the gateway shows to the internal listener.", "gateway"),
    Setting(
        "WORKER_TOKENS",
        Kind.LIST,
        "",
        "Gateways on other machines that may connect: name:token, comma-separated.",
        "up, prepare",
    ),
    Setting(
        "POSTGRES_PASSWORD",
        Kind.SECRET,
        "",
        "The password of the owner of the database that `up` runs; empty: one is made and kept.",
        "up",
    ),
    Setting(
        "APP_ROLE_PASSWORD",
        Kind.SECRET,
        "",
        "The password of policylayer_app; if empty, `up` makes one and keeps it.",
        "up, prepare",
    ),
    Setting(
        "WORKER_ROLE_PASSWORD",
        Kind.SECRET,
        "",
        "The password of policylayer_worker; if empty, `up` makes one and keeps it.",
        "up, prepare",
    ),
    Setting(
        "LIMITER_URL",
        Kind.TEXT,
        "",
        "Where counters live: `redis://...` for many machines (append-only, `appendfsync always`,"
        " `noeviction`); empty: an SQLite file under DATA_DIR.",
        "gateway",
    ),
    Setting(
        "APPROVAL_ANSWER_MS",
        Kind.INTEGER,
        "1000",
        "How long a call that needs approval waits for the control plane, in milliseconds.",
        "gateway",
    ),
    Setting(
        "APPROVAL_HOLD_SECONDS",
        Kind.INTEGER,
        "0",
        "How long such a call is held open for a person before the agent is told to repeat it; 0: not held.",
        "gateway",
    ),
    Setting(
        "MOST_BODY_BYTES",
        Kind.INTEGER,
        "1048576",
        "The largest body of a request that the gateway accepts, from 16384 to 4194304 bytes.",
        "gateway",
    ),
    Setting(
        "CLIENT_HEAD_SECONDS",
        Kind.INTEGER,
        "10",
        "How long a client may take to send the head of a request, from 1 to 120.",
        "gateway",
    ),
    Setting(
        "CLIENT_IDLE_SECONDS",
        Kind.INTEGER,
        "75",
        "How long the gateway keeps a connection on which a client asks for nothing, from 5 to 3600. Behind a"
        " proxy that keeps connections, longer than the proxy keeps them.",
        "gateway",
    ),
    Setting(
        "SERVER_ANSWER_SECONDS",
        Kind.INTEGER,
        "300",
        "How long a server may take to begin its answer, from 1 to 3600.",
        "gateway",
    ),
    Setting(
        "SERVER_IDLE_SECONDS",
        Kind.INTEGER,
        "900",
        "How long a server's stream may be silent, from 30 to 86400.",
        "gateway",
    ),
    Setting(
        "EGRESS_ALLOW_PRIVATE",
        Kind.NETWORKS,
        "",
        "Private networks that upstream servers may be in; empty: none. Loopback may be among them only while"
        " GATEWAY_HOST and HANDOVER_ADDRESS are loopback too.",
        "web, worker, gateway",
    ),
    Setting(
        "UPSTREAM_CA_FILE",
        Kind.TEXT,
        "",
        "A PEM file with certificate authorities of your own, trusted in addition to the system's when"
        " connecting to servers and webhooks.",
        "web, internal, worker, gateway",
    ),
    Setting(
        "OWN_LISTENERS",
        Kind.LISTENERS,
        "",
        "The product's own addresses, never reachable as an upstream.",
        "web, worker, gateway",
    ),
    Setting(
        "GATEWAY_PUBLIC_URL",
        Kind.URL,
        "http://127.0.0.1:8100",
        "The gateway as agents reach it.",
        f"{_EVERY_DJANGO}, gateway",
    ),
    Setting(
        "TRUSTED_PROXIES",
        Kind.NETWORKS,
        "",
        "Networks of the proxies whose `X-Forwarded-For` is believed; from anybody else it is ignored.",
        "web",
    ),
    Setting(
        "PUBLIC_URL",
        Kind.URL,
        "http://localhost:8000",
        "The site as people reach it. Use a name, not an address: passkeys are bound to a name.",
    ),
    Setting(
        "EMAIL_URL",
        Kind.SECRET,
        "",
        "The mail server, with TLS: `smtp://user:password@host:587` (STARTTLS) or `smtps://...:465`; empty:"
        " mail is written to the log.",
        "web, worker",
    ),
    Setting(
        "EMAIL_FROM", Kind.TEXT, "PolicyLayer <no-reply@localhost>", "Who mail comes from.", "web, worker"
    ),
    Setting(
        "ALLOWED_HOSTS", Kind.LIST, "", "Host names the site answers to; empty: the one in PUBLIC_URL.", "web"
    ),
    Setting(
        "ALLOWED_ORIGINS", Kind.LIST, "", "Browser origins that may call a gateway; empty: none.", "gateway"
    ),
    Setting(
        "DJANGO_URLCONF", Kind.TEXT, "config.urls", "Set to config.internal_urls for the internal listener."
    ),
    Setting(
        "CONTACT_EMAIL",
        Kind.TEXT,
        "",
        "Who receives visitors' messages; empty: they are only stored, for /catalogue/messages/.",
        "worker",
    ),
    Setting(
        "ADMIN_ENABLED",
        Kind.BOOLEAN,
        "no",
        "Opens /catalogue/reports/ and /catalogue/messages/, where staff (`manage.py staff`) settle reports"
        " of wrong labels and see what visitors wrote, and /admin/, where they look at accounts and the"
        " catalogue.",
        "web",
    ),
    Setting("LOG_LEVEL", Kind.TEXT, "info", "debug, info, warning or error.", "all"),
]
