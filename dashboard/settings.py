"""Django's settings, all from `strades_pipelines.settings`: there is no second place to configure anything.

`strades dashboard serve` takes whatever is missing (schema, static files, translations) from `prepare`.
"""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from csp.constants import NONE, SELF
from django.contrib.messages import constants as message_levels
from django.utils.translation import gettext_lazy as _
from psycopg import IsolationLevel
from psycopg.conninfo import conninfo_to_dict

from dashboard.secret_key import read_or_make_key
from strades_pipelines.database.connection import dashboard_database_url, live_option, session_url
from strades_pipelines.database.roles import DASHBOARD_ROLE
from strades_pipelines.origins import LOOPBACK_NAMES, public_origins
from strades_pipelines.settings import Settings, SettingsError, settings

HERE = Path(__file__).parent
FILES = settings().home.resolve() / "dashboard"
DEBUG = False
SECRET_KEY = read_or_make_key(settings().home / "dashboard.key")
ROOT_URLCONF = "dashboard.urls"
ASGI_APPLICATION = "dashboard.asgi.application"

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "csp",
    "dashboard.core.apps.CoreConfig",
    "dashboard.accounts.apps.AccountsConfig",
    "dashboard.scheduler.apps.SchedulerConfig",
    "dashboard.notations.apps.NotationsConfig",
    "dashboard.community.apps.CommunityConfig",
    "dashboard.messaging.apps.MessagingConfig",
    "dashboard.shop.apps.ShopConfig",
    "dashboard.meetings.apps.MeetingsConfig",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "dashboard.middleware.refuse_other_sites",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "dashboard.middleware.follow_session",  # before messages, which go into the session on their way out
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "dashboard.middleware.activate_time_zone",
    "allauth.account.middleware.AccountMiddleware",
    "dashboard.middleware.follow_viewer",
    "dashboard.middleware.AccessMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [HERE / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "dashboard.core.frame.frame",
            ],
            "builtins": [
                "django.templatetags.i18n",
                "django.templatetags.static",
                "dashboard.core.templatetags.frame",
                "dashboard.notations.templatetags.notations",
            ],
        },
    }
]


def _database(*options: str) -> dict[str, Any]:
    """Django's words for a connection of the dashboard's role."""
    parts = conninfo_to_dict(session_url(dashboard_database_url()))
    place = {name.upper(): str(parts.pop(name, "")) for name in ("user", "password", "host", "port")}
    settings_of_session = " ".join(["-c", f"role={DASHBOARD_ROLE}", live_option(), *options])
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.pop("dbname"),
        **place,
        "OPTIONS": {**parts, "options": settings_of_session},
        "CONN_HEALTH_CHECKS": True,
        "TEST": {"MIGRATE": True},
    }


def openid_providers(found: Settings) -> dict[str, Any]:
    """Allauth's setting for the provider that the settings name; empty where they name none.

    Raises:
        SettingsError: an issuer without a client's id and secret.
    """
    if not found.openid_issuer:
        return {}
    if not found.openid_client_id or not found.openid_client_secret:
        raise SettingsError("STRADES_OPENID_ISSUER needs STRADES_OPENID_CLIENT_ID and STRADES_OPENID_CLIENT_SECRET")
    issuer = found.openid_issuer.rstrip("/")
    app = {
        # Accounts are kept under it: those of another issuer, set later, are other people's.
        "provider_id": issuer,
        "name": found.openid_name,
        "client_id": found.openid_client_id,
        "secret": found.openid_client_secret,
        "settings": {"server_url": issuer, "oauth_pkce_enabled": True},
    }
    return {"openid": {"APPS": [app]}}


# Two ways in: `default` is the dashboard's own schema, `layers` reads everything else, from one snapshot a page.
DATABASES = {
    "default": _database("-c search_path=dashboard -c statement_timeout=15s"),
    "layers": _database("-c search_path=pg_catalog -c default_transaction_read_only=on -c statement_timeout=10s"),
}
DATABASES["layers"]["OPTIONS"]["isolation_level"] = IsolationLevel.REPEATABLE_READ
DATABASE_ROUTERS: list[str] = []
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- who is served
PUBLIC_ORIGINS = sorted(public_origins(settings().public_host))
ALLOWED_HOSTS = [*LOOPBACK_NAMES, *(str(urlsplit(origin).hostname) for origin in PUBLIC_ORIGINS)]
CSRF_TRUSTED_ORIGINS = PUBLIC_ORIGINS
BEHIND_TLS = any(origin.startswith("https://") for origin in PUBLIC_ORIGINS)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS else None
# With the prefix a browser takes the cookie over TLS alone, for this host and every path: no other host can plant one.
PREFIX = "__Host-" if BEHIND_TLS else ""
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = f"{PREFIX}strades_session", f"{PREFIX}strades_csrf"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = BEHIND_TLS
SESSION_COOKIE_AGE = 30 * 24 * 3600
SECURE_HSTS_SECONDS = 31_536_000 if BEHIND_TLS else 0
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024
# A file that somebody has taken in (datamanager/requests.py) is kept in memory, never on the disk: Django does so up to
# the size of a body with such a file and its form. NGINX hands it on as it comes (deploy/nginx/pages.conf).
UPLOAD_PATH, LARGEST_FILE = "/data/changes/file/", 8 * 2**20
FILE_UPLOAD_MAX_MEMORY_SIZE = LARGEST_FILE + DATA_UPLOAD_MAX_MEMORY_SIZE
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        # Only pages of passkeys have scripts, and allow them for themselves (`with_scripts`).
        "script-src": [NONE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

# --- accounts
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS: list[dict[str, Any]] = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("pseudo", "email", "name", "surname")},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL, LOGIN_REDIRECT_URL = "account_login", "today"
ACCOUNT_ADAPTER = "dashboard.accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {"signup": "dashboard.accounts.forms.SignupForm", "login": "dashboard.accounts.forms.LoginForm"}
ACCOUNT_USER_MODEL_USERNAME_FIELD, ACCOUNT_USER_MODEL_EMAIL_FIELD = "pseudo", None
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_NOTIFICATIONS = False
ACCOUNT_SESSION_REMEMBER = None  # the person is asked: "stay connected"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_PREVENT_ENUMERATION = True
# Counted for an account at an address, see the adapter; allauth's own count for an address alone lets anybody on this
# machine, whose addresses are all 127.0.0.1, keep everybody out with ten wrong passwords.
ACCOUNT_RATE_LIMITS = {"login_failed": "5/5m/key"}
MFA_ADAPTER = "dashboard.accounts.adapter.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_FORMS = {
    "add_webauthn": "dashboard.accounts.passkeys.AddPasskeyForm",
    "authenticate_webauthn": "dashboard.accounts.passkeys.AuthenticatePasskeyForm",
    "login_webauthn": "dashboard.accounts.passkeys.LoginPasskeyForm",
    "reauthenticate_webauthn": "dashboard.accounts.passkeys.ReauthenticatePasskeyForm",
}
MFA_RATE_LIMITS = {"webauthn_login": "30/m/ip"}  # as attempts of any kind; signing in takes two requests
MFA_TOTP_ISSUER = "Strades"
MFA_TOTP_TOLERANCE = 1  # half a minute of a phone's clock
MFA_ALLOW_UNVERIFIED_EMAIL = True  # no mail is sent: an address is a note here, not a proof
SOCIALACCOUNT_ADAPTER = "dashboard.accounts.adapter.OpenIdAccountAdapter"
SOCIALACCOUNT_PROVIDERS = openid_providers(settings())
# One process serves the pages, so its memory is shared enough for counting attempts.
# Of more than `MAX_ENTRIES` counters Django drops some that still count: 300 are its own, which one person's tries at
# other things push out within the hour.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"

# --- words, times, files
USE_TZ, TIME_ZONE = True, "UTC"
USE_I18N, LANGUAGE_CODE = True, "en"
LANGUAGES = [("en", _("English")), ("fr", _("French"))]
LOCALE_PATHS = [FILES / "locale"]
LANGUAGE_COOKIE_NAME, LANGUAGE_COOKIE_AGE = "strades_language", 365 * 24 * 3600
STATIC_URL = "static/"
STATICFILES_DIRS = [HERE / "static"]
STATIC_ROOT = FILES / "static"
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",  # allauth's scripts of passkeys
]
STORAGES = {"staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}}
MESSAGE_TAGS = {message_levels.ERROR: "danger"}
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"format": "{levelname} {name}: {message}", "style": "{"},
        "json": {"()": "strades_pipelines.system.json_logs.JsonFormatter"},
    },
    "filters": {
        "once_a_minute": {"()": "dashboard.logs.OnceAMinute"},
        "without_keys": {"()": "dashboard.logs.WithoutKeys"},  # after it, which counts lines before their arguments
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": settings().log_format,
            "filters": ["once_a_minute", "without_keys"],
        }
    },
    "root": {"handlers": ["console"], "level": "WARNING"},
    # Django's own handlers mail administrators, of whom there are none.
    "loggers": {
        "django": {"handlers": ["console"], "level": "WARNING", "propagate": False},
        # A traceback for each request with a foreign Host.
        "django.security.DisallowedHost": {"handlers": [], "propagate": False},
    },
}
