"""The settings shared by every process. Values come from `config.env`; nothing else reads the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from config import env

ROOT = Path(__file__).resolve().parents[2]
DATA_DIR = Path(env.text("DATA_DIR"))

SECRET_KEY = env.secret("SECRET_KEY")
DEBUG = False
PUBLIC_URL = env.url("PUBLIC_URL")
GATEWAY_PUBLIC_URL = env.url("GATEWAY_PUBLIC_URL")
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES")
ALLOWED_HOSTS = list(env.items("ALLOWED_HOSTS")) or [urlsplit(PUBLIC_URL).hostname or "localhost"]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

INSTALLED_APPS = [
    # Without its search for what apps would show: config.admin lists that.
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "django.forms",
    "django_htmx",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "rest_framework",
    "drf_spectacular",
    "common",
    "accounts",
    "catalog",
    "servers",
    "policies",
    "gateway_config",
    "audit",
    "approvals",
    "config",
]

MIDDLEWARE = [
    "config.proxies.TrustedProxies",
    "django.middleware.security.SecurityMiddleware",
    "catalog.public.SameForEverybody",
    "config.static_files.StaticFilesMiddleware",
    "config.counts.requests_counted",
    "config.middleware.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "config.middleware.SlashAppended",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "accounts.api.throttling.RateLimitHeaders",
    "accounts.middleware.MemberMiddleware",
    "accounts.api.idempotency.IdempotencyMiddleware",
    "config.middleware.DomainErrorMiddleware",
]

ROOT_URLCONF = env.text("DJANGO_URLCONF")
INTERNAL = ROOT_URLCONF == "config.internal_urls"
if INTERNAL:
    # Gateways send a token and nothing that a browser sends. Middleware that runs in threads would hold one
    # for each gateway that waits for news. This one works with coroutines too; allauth needs it to start.
    MIDDLEWARE = ["config.counts.requests_counted", "allauth.account.middleware.AccountMiddleware"]

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.context.product",
            ],
            "builtins": ["django.contrib.humanize.templatetags.humanize", "common.templatetags.ui"],
        },
    },
]

_database = env.database()
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": _database.host,
        "PORT": _database.port,
        "USER": _database.user,
        "PASSWORD": _database.password,
        "NAME": _database.name,
        "OPTIONS": {
            # A database that vanishes is noticed within 20 s; the roles' own settings do the same for us.
            "keepalives_idle": 10,
            "keepalives_interval": 3,
            "keepalives_count": 3,
            "tcp_user_timeout": 20_000,
            **dict(_database.options),
            # How long a request waits for a connection, whether none can be made or all are busy: the
            # pool cannot tell. Less would turn people away from a database that is slow but healthy;
            # waiting costs only one thread, and no gateway ever asks here.
            "pool": {"min_size": 1, "max_size": 12, "timeout": 5},
            "connect_timeout": 5,
        },
        "TEST": {"NAME": "policylayer_test"},
    }
}

# ---- people
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "optional"
ACCOUNT_EMAIL_SUBJECT_PREFIX = "PolicyLayer: "
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_FORMS = {
    "add_email": "accounts.forms.AddEmailForm",
    "login": "accounts.forms.LoginForm",
    "signup": "accounts.forms.SignupForm",
    "change_password": "accounts.forms.ChangePasswordForm",
    "set_password": "accounts.forms.SetPasswordForm",
    "reset_password_from_key": "accounts.forms.ResetPasswordKeyForm",
}
ACCOUNT_EMAIL_NOTIFICATIONS = True
# Both reveal whether an address has an account (see THREAT_MODEL.md): nobody must be able to ask for many.
ACCOUNT_RATE_LIMITS = {"signup": "20/m/ip,100/h/ip", "manage_email": "10/m/user,60/h/user"}
MFA_ADAPTER = "accounts.mfa.MFAAdapter"
MFA_FORMS = {
    "add_webauthn": "accounts.mfa_forms.AddForm",
    "authenticate_webauthn": "accounts.mfa_forms.AuthenticateForm",
    "login_webauthn": "accounts.mfa_forms.LoginForm",
    "reauthenticate_webauthn": "accounts.mfa_forms.ReauthenticateForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "PolicyLayer"
# A clock that is slightly wrong must not lock anyone out.
MFA_TOTP_TOLERANCE = 1
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = PUBLIC_URL.startswith("http:")
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "overview"
ACCOUNT_SIGNUP_REDIRECT_URL = "onboarding"
ACCOUNT_LOGOUT_REDIRECT_URL = "home"
SESSION_COOKIE_AGE = 14 * 86_400
SESSION_COOKIE_NAME = "policylayer_session"
CSRF_COOKIE_NAME = "policylayer_csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "accounts.views.sign_in.page_too_old"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PUBLIC_URL.startswith("https:")
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
if _mail := env.mail_server():
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_HOST, EMAIL_PORT = _mail.host, _mail.port
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail.user, _mail.password
    EMAIL_USE_SSL, EMAIL_USE_TLS = _mail.tls, not _mail.tls
    EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.text("EMAIL_FROM")
CONTACT_EMAIL = env.text("CONTACT_EMAIL")
CACHES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "common.kept_files.KeptFiles",
        "LOCATION": DATA_DIR / "cache",
    },
    # Incremented on every API request, by all processes that serve the site on this machine.
    "requests": {
        "BACKEND": "common.shared_counters.SharedCounters",
        "LOCATION": DATA_DIR / "cache" / "requests.counters",
    },
}
if CACHE_URL := env.broker("CACHE_URL"):
    _SHARED = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": CACHE_URL}
    CACHES = {"default": _SHARED, "requests": _SHARED}
API_REQUESTS_A_MINUTE = env.positive("API_REQUESTS_A_MINUTE")
API_REQUESTS_A_MINUTE_UNKNOWN = env.positive("API_REQUESTS_A_MINUTE_UNKNOWN")

AUDIT_RETENTION_DAYS = env.audit_retention("AUDIT_RETENTION_DAYS")

# ---- REST
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.api.authentication.ApiKeyAuthentication",
        "accounts.api.authentication.MemberSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.api.permissions.IsMember"],
    "DEFAULT_THROTTLE_CLASSES": ["accounts.api.throttling.RequestsAMinute"],
    "DEFAULT_RENDERER_CLASSES": ["common.api_shown.JsonRenderer"],
    "DEFAULT_PARSER_CLASSES": ["common.drf.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "config.api_errors.answer",
    "UNAUTHENTICATED_USER": None,
    # Off: `?format=` is an unknown parameter like any other.
    "URL_FORMAT_OVERRIDE": None,
    # As `common.api_shown.moment` writes it.
    "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%S.%fZ",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "PolicyLayer API",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_SPLIT_PATCH": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "ApprovalStateEnum": "approvals.models.Approval.State",
        "DeliveryStateEnum": "approvals.models.Notice.State",
        "GrantStateEnum": "policies.api.serializers.GRANT_STATES",
        "RolloutStateEnum": "gateway_config.api.serializers.STATES",
        "ScanStateEnum": "servers.models.ToolScan.State",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "common.api_schema.complete",
    ],
}

# ---- files, time, words
STATIC_URL = "/static/"
STATICFILES_DIRS = [ROOT / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "config.static_files.AddressedByTheirBytes"},
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-gb"
USE_I18N = False
# A policy of the largest size, form-encoded: nearly every byte becomes three.
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024
# Larger bodies are refused before they are read: see config.bodies.
LARGEST_BODY = 32 * 1024 * 1024 if INTERNAL else DATA_UPLOAD_MAX_MEMORY_SIZE
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# ---- the way to the gateways
ADMIN_ENABLED = env.boolean("ADMIN_ENABLED")
ARGUMENT_KEYS = env.text("ARGUMENT_KEYS")
# The internal listener only seals arguments: the keys that open everything else are not in its process.
SEALING_KEYS = "" if INTERNAL else env.text("SEALING_KEYS")
CELERY_BROKER_URL = env.broker("CELERY_BROKER_URL")
EGRESS_ALLOW_PRIVATE = env.networks("EGRESS_ALLOW_PRIVATE")
UPSTREAM_CA_FILE = env.ca_file("UPSTREAM_CA_FILE")
OWN_LISTENERS = env.listeners("OWN_LISTENERS")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "config.log_lines.Line", "fmt": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.log_level().upper()},
    # Anyone may send any Host or endless fields; a traceback for each would fill the log.
    "loggers": {
        f"django.security.{what}": {"handlers": [], "propagate": False}
        for what in ("DisallowedHost", "TooManyFieldsSent", "TooManyFilesSent", "RequestDataTooBig")
    },
}
