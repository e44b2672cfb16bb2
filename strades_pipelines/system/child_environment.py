"""Environments of child processes: the secrets a child needs, and no others.

A child of ours that needs no secret reads neither `.env` nor `/run/secrets` (`ENVIRONMENT_ONLY`): the settings there
that are not secret are in its environment.
"""

import re
from collections.abc import Mapping

from strades_pipelines.settings import ENVIRONMENT_ONLY, Settings

_SYSTEM = "PATH HOME USER LOGNAME LANG LANGUAGE TZ TMPDIR TERM VIRTUAL_ENV LD_LIBRARY_PATH DYLD_LIBRARY_PATH"
_SERVED = "DAGSTER_HOME DAGSTER_EVENT_BATCH_SIZE STRADES_CODE_SOCKET"
SYSTEM_NAMES, SERVED_NAMES = frozenset(_SYSTEM.split(" ")), frozenset(_SERVED.split(" "))
PREFIXES = ("PYTHON", "SSL_", "COVERAGE_")
DAGSTER_DATABASE = "DAGSTER_PG_URL"
ALERT_FIELDS = ("alert_webhook", "alert_smtp", "twilio_auth_token")
SECRET_VARIABLE = re.compile(
    r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|AUTH|LOGIN|_UID$|_HEADERS$"
    r"|^DATABASE_URL$|^DAGSTER_PG_|^PG|^STRADES_(ALERT_(WEBHOOK|SMTP|HEARTBEAT)|(SPIDER|DASHBOARD)_DATABASE)$",
    re.IGNORECASE,
)


def for_programs(whole: Mapping[str, str]) -> dict[str, str]:
    """For programs that are not ours, such as PostgreSQL's: the system's variables."""
    return {name: value for name, value in whole.items() if name in SYSTEM_NAMES or name.startswith("LC_")}


def without_secrets(whole: Mapping[str, str]) -> dict[str, str]:
    """For a part of `strades up` that needs no secret: by a list of what is allowed."""
    ours = {f"STRADES_{name.upper()}" for name, field in Settings.model_fields.items() if field.repr}
    allowed = {
        name: value
        for name, value in whole.items()
        if name in SERVED_NAMES or name in ours or name.startswith(PREFIXES)
    }
    return _public_settings() | for_programs(whole) | allowed


def without_secret_names(whole: Mapping[str, str]) -> dict[str, str]:
    """For a child of a command, which may need any other variable (a proxy's, say): by a list of what is secret."""
    kept = {name: value for name, value in whole.items() if not SECRET_VARIABLE.search(name)}
    return _public_settings() | kept


def for_dagster(whole: Mapping[str, str]) -> dict[str, str]:
    """As `without_secrets`, with the URL of Dagster's database."""
    return without_secrets(whole) | {name: whole[name] for name in (DAGSTER_DATABASE,) if name in whole}


def for_reader(whole: Mapping[str, str], url: str) -> dict[str, str]:
    """As `without_secrets`, with the URL by which the service role connects."""
    return without_secrets(whole) | {"DATABASE_URL": url}


def for_dashboard(whole: Mapping[str, str], url: str) -> dict[str, str]:
    """As `without_secrets`, with the URL by which the dashboard's role connects, and its OpenID secret."""
    secret = Settings().openid_client_secret
    openid = {"STRADES_OPENID_CLIENT_SECRET": secret} if secret else {}
    return without_secrets(whole) | openid | {"STRADES_DASHBOARD_DATABASE": url}


def for_digests(whole: Mapping[str, str], url: str) -> dict[str, str]:
    """As `for_dashboard`, with the mail server: of the process that sends digests, which serves nothing."""
    server = Settings().alert_smtp
    return for_dashboard(whole, url) | ({"STRADES_ALERT_SMTP": server} if server else {})


def for_alerts(whole: Mapping[str, str]) -> dict[str, str]:
    """As `without_secrets`, with where alerts go."""
    found = Settings().model_dump(include=set(ALERT_FIELDS), exclude_none=True)
    return without_secrets(whole) | {f"STRADES_{name.upper()}": url for name, url in found.items()}


def _public_settings() -> dict[str, str]:
    """The settings that are set, wherever, and are not secret; with `ENVIRONMENT_ONLY`."""
    settings = Settings()
    names = {name for name in settings.model_fields_set if Settings.model_fields[name].repr}
    values = settings.model_dump(mode="json", include=names, exclude_none=True)
    return {f"STRADES_{name.upper()}": str(value) for name, value in values.items()} | {ENVIRONMENT_ONLY: "1"}
