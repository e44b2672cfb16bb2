"""The only reader of the environment: typed, and a bad value is one clear error.

Every process of the project (command, assets, spiders, sandbox) takes its settings from here.
Variables are named `STRADES_<FIELD>`, but for `DATABASE_URL`; a `.env` file in the project folder is read too, and in a
container a file of the variable's name under `/run/secrets`.
"""

import os
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import AwareDatetime, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SecretsSettingsSource, SettingsConfigDict
from pydantic_settings.sources.providers.dotenv import read_env_file

from strades_pipelines.origins import is_loopback, public_origins

PROJECT = Path(__file__).resolve().parents[1]
SECRETS = Path("/run/secrets")
SHORTEST_SECRET = 8  # a shorter one would be found everywhere, and blotted out there
# Set for a child of ours that needs no secret: it reads neither `.env` nor `/run/secrets`.
ENVIRONMENT_ONLY = "STRADES_ENVIRONMENT_ONLY"
_READS_FILES = ENVIRONMENT_ONLY not in os.environ


DATABASE_URL_FORM = (
    "expected postgresql://user:password@host:port/database; "
    "percent-encode what is neither a letter nor a digit in user and password"
)
_DATABASE_URL = re.compile(
    r"postgres(?:ql)?://(?P<user>[^\s:@/?#\[\]]+)(?::(?P<password>[^\s@/?#\[\]]*))?"
    r"@(?:[\w.-]+|\[[\dA-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?"
    r"(?:/(?P<database>[^\s:@/?#\[\]]*))?(?:\?(?P<query>[^\s@?#]*))?",
    re.ASCII,
)
# What a URL may say after its question mark: who connects, and where to, is said before it.
_DATABASE_URL_PARAMETERS = {
    "sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "ssl_min_protocol_version", "channel_binding",
    "gssencmode", "target_session_attrs", "connect_timeout", "application_name", "keepalives", "keepalives_idle",
    "keepalives_interval", "keepalives_count", "tcp_user_timeout", "require_auth",
}  # fmt: skip

_COLLECTOR_URL = re.compile(r"https?://[\w.\-:\[\]]+(?:/[^\s?#@]*)?", re.ASCII)
_HEADER = re.compile(r"\s*[\w!#$%&'*+.^`|~-]+\s*=\s*[!-~](?:[ -~]*[!-~])?\s*", re.ASCII)


class SettingsError(ValueError):
    """A variable of the environment has a value that cannot be used."""


class _SecretFiles(SecretsSettingsSource):
    """Secrets as files. An empty file counts as none, as an empty variable does: Compose has no optional secrets."""

    def __call__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__call__().items() if value != ""}


class Settings(BaseSettings):
    """What may be set from outside. `repr=False` marks what is secret: no error and no `repr` shows it."""

    model_config = SettingsConfigDict(
        env_prefix="STRADES_",
        env_file=PROJECT / ".env" if _READS_FILES else None,
        secrets_dir=SECRETS if _READS_FILES and SECRETS.is_dir() else None,
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
    )

    world: Literal["sandbox", "live"] = Field(
        "sandbox", description="sandbox talks to the local server, live to the real hosts"
    )
    home: Path = Field(PROJECT / ".strades", description="everything this installation keeps: database, logs, caches")
    sources: Path = Field(PROJECT / "Sources.json", description="the list of sources")
    wallets: Path = Field(
        PROJECT / "Wallets.json", description="the list of wallets and the strategies that trade them"
    )
    archive: Path | None = Field(
        None, description="where the embedded server archives its WAL and base backups; on another disk than the home"
    )
    cold_store: str | None = Field(
        None,
        repr=False,  # a URI may have keys
        description="where `strades archive` keeps cold months: a folder, or a URI such as s3://bucket/strades",
    )
    database_url: str | None = Field(
        None, validation_alias="DATABASE_URL", repr=False, description="a PostgreSQL server instead of the embedded one"
    )
    sandbox_url: str = Field("http://127.0.0.1:8090", description="where the sandbox server listens")
    sandbox_now: AwareDatetime | None = Field(
        None, description="holds the sandbox's clock, so that two runs can be compared"
    )
    sandbox_seed: int = Field(20260101, description="seed of the synthetic market")
    webserver_port: int = Field(3000, ge=1, le=65535)
    webserver_host: str = Field("127.0.0.1", description="where the dashboard reaches Dagster's webserver")
    metrics_port: int | None = Field(
        None, ge=1, le=65535, description="port of /metrics for Prometheus; none without it"
    )
    docs_port: int = Field(8081, ge=1, le=65535)
    dashboard_port: int = Field(8000, ge=1, le=65535)
    dashboard_signup: Literal["off", "invitation", "open"] = Field(
        "invitation", description="who may make an account of the dashboard, after the first"
    )
    openid_issuer: str = Field(
        "", description="an OpenID provider whose people may sign in to the dashboard: https://tenant.eu.auth0.com"
    )
    openid_client_id: str = Field("", description="the dashboard's id at that provider")
    openid_client_secret: str | None = Field(None, repr=False, description="the dashboard's secret at that provider")
    openid_name: str = Field("OpenID", max_length=40, description="what the button to sign in through it says")
    dashboard_database: str | None = Field(
        None, repr=False, description="set by the process that starts the dashboard: where it connects"
    )
    nginx_port: int | None = Field(
        None, ge=1, le=65535, description="port of NGINX in front of all pages, with TLS; none without it"
    )
    nginx_host: Literal["127.0.0.1", "0.0.0.0"] = Field(
        "127.0.0.1", description="address that NGINX listens on: this machine's own, or all"
    )
    tls_certificate_file: Path | None = Field(
        None, description="the certificate (PEM, with its chain) that NGINX shows; a local one is made without it"
    )
    tls_key_file: Path | None = Field(None, description="its private key (PEM)")
    readonly_port: int | None = Field(
        None, ge=1, le=65535, description="port of a second webserver that serves no mutation; none without it"
    )
    public_host: str = Field(
        "", description="host[:port] under which a proxy with TLS shows the webserver, with commas between"
    )
    window_from: date = Field(date(2012, 1, 1), description="first day of the main job's window")
    window_to: date = Field(date(2013, 3, 1), description="the day after its last")
    user_agent: str = Field(
        "strades/0.1 (set STRADES_USER_AGENT to your contact)", description="sent with every request"
    )
    sensor_seconds: int = Field(
        30, ge=1, description="how long the sensors that move data and trade wait before they look again"
    )
    live_trading: bool = Field(False, description="first of the confirmations that live trading needs")
    live_one_person: bool = Field(
        False, description="who asked for live trading of a wallet may approve it alone, after a minute"
    )
    alert_webhook: str | None = Field(
        None, repr=False, description="URL that alerts are POSTed to as JSON; may hold a token"
    )
    alert_smtp: str | None = Field(
        None, repr=False, description="mail server of alerts: smtp://user:password@host:587, or smtps://"
    )
    alert_heartbeat: str | None = Field(
        None, repr=False, description="URL that is called each minute while somebody watches; may hold a token"
    )
    openai_url: str = Field(
        "https://api.openai.com/v1", description="where `strades bundle article --writer chatgpt` asks for a draft"
    )
    openai_model: str = Field("gpt-5-mini", max_length=80, description="the model that is asked")
    alert_sms_to: str = Field(
        "", pattern=r"^(\+[0-9]{6,15})?$", description="receiver of alerts by SMS: +33612345678; needs the three below"
    )
    alert_sms_from: str = Field("", max_length=40, description="their sender, as Twilio knows it")
    twilio_account: str = Field("", pattern=r"^(AC[0-9a-f]{32})?$", description="the account's SID at Twilio")
    twilio_auth_token: str | None = Field(None, repr=False, description="its token")
    twilio_url: str = Field("https://api.twilio.com", description="where Twilio is asked")
    alert_from: str = Field("strades@localhost", description="sender of alerts by mail")
    alert_to: str = Field("", description="receivers of alerts by mail, with commas between")
    events_kept_days: int = Field(
        30, ge=1, description="how long Dagster keeps what runs that did not succeed said, but for asset events"
    )
    success_details_kept_days: int = Field(
        2, ge=1, description="how long Dagster keeps what runs that succeeded said, but for asset events"
    )
    success_runs_kept_days: int = Field(7, ge=1, description="how long Dagster lists runs that succeeded")
    evaluations_kept_days: int = Field(1, ge=1, description="how long Dagster keeps evaluations of automation")
    frames_kept_days: int = Field(
        30, ge=1, description="how long frames of streams are kept that no decision heard; what they say stays"
    )
    run_memory_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="a run under `strades up` that uses more of the machine's memory than this is ended",
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="json: one object a line, with the ids of run, source and wallet"
    )
    traces_url: str | None = Field(
        None,
        description="a collector of OpenTelemetry's traces, http://127.0.0.1:4318/v1/traces; none without it",
    )
    traces_headers: str | None = Field(
        None, repr=False, description="headers that the collector asks for, a key say: name=value, with commas between"
    )
    show_tracebacks: bool = Field(False, description="show the whole traceback of an unexpected error")
    spider_database: str | None = Field(
        None, repr=False, description="set by the process that starts a crawl: where answers go"
    )
    crash_at: str | None = Field(None, description="tests only: the named point at which the process kills itself")

    @model_validator(mode="before")
    @classmethod
    def _behind_nginx(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Behind NGINX viewers have a webserver of their own, and without other names there are this machine's."""
        if port := values.get("nginx_port"):
            # What is set wins.
            return {"readonly_port": 3001, "public_host": f"localhost:{port}, 127.0.0.1:{port}", **values}
        return values

    @property
    def dagster_path(self) -> str:
        """The path below which Dagster's webservers serve: `/dagster` behind NGINX, none without it."""
        return "/dagster" if self.nginx_port else ""

    @field_validator("public_host")
    @classmethod
    def _names_hosts(cls, hosts: str) -> str:
        public_origins(hosts)
        return hosts

    @field_validator("openid_issuer", "openai_url", "twilio_url")
    @classmethod
    def _names_an_issuer(cls, url: str) -> str:
        parts = urlsplit(url)
        is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
        if url and not (is_safe and parts.hostname and "@" not in parts.netloc and not parts.query + parts.fragment):
            raise ValueError("expected https://host[/path], as the provider names itself")
        return url

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Where settings come from, the first that has one wins."""
        assert isinstance(file_secret_settings, SecretsSettingsSource)
        files = _SecretFiles(settings_cls, file_secret_settings.secrets_dir)
        return init_settings, env_settings, dotenv_settings, files

    @field_validator("alert_webhook", "alert_smtp", "alert_heartbeat")
    @classmethod
    def _names_a_server(cls, url: str | None, info: ValidationInfo) -> str | None:
        schemes = ("smtp", "smtps") if info.field_name == "alert_smtp" else ("http", "https")
        try:
            parts = urlsplit((url or "").strip())
            is_good = parts.scheme in schemes and bool(parts.hostname)
        except ValueError:
            is_good = False
        if url is not None and not is_good:
            raise ValueError(f"expected {schemes[0]}://host or {schemes[1]}://host")
        return url

    @field_validator("traces_url")
    @classmethod
    def _names_a_collector(cls, url: str | None) -> str | None:
        if url is not None and not _COLLECTOR_URL.fullmatch(url):
            raise ValueError("expected http(s)://host[:port]/path alone; a key goes into STRADES_TRACES_HEADERS")
        return url

    @field_validator("traces_headers")
    @classmethod
    def _are_headers(cls, headers: str | None) -> str | None:
        if headers is not None and not all(_HEADER.fullmatch(header) for header in headers.split(",")):
            raise ValueError("expected name=value, with commas between")
        return headers

    @field_validator("database_url", mode="before")
    @classmethod
    def _check_database_url(cls, url: object) -> str | None:
        if url is None:
            return None
        if not isinstance(url, str) or not _is_database_url(url.strip()):
            raise ValueError(DATABASE_URL_FORM)
        # A file of secrets ends with a line feed; SQLAlchemy knows the longer name only.
        return "postgresql://" + url.strip().partition("://")[2]

    def now(self) -> datetime:
        """The world's time, UTC: the wall clock, or the held clock of the sandbox."""
        if self.world == "sandbox" and self.sandbox_now is not None:
            return self.sandbox_now.astimezone(UTC)
        return datetime.now(UTC)


def secret(name: str) -> str | None:
    """A provider's key by the name that its protocol gives it, or None where it is not set.

    It is looked for in the environment, in `.env`, and in a file of that name under `/run/secrets`.

    Raises:
        SettingsError: it cannot be sent: shorter than 8 letters, or with blanks or others than printable ASCII.
    """
    found = os.environ.get(name) or _env_file().get(name)
    if not found and _READS_FILES and (SECRETS / name).is_file():
        found = (SECRETS / name).read_text(encoding="utf-8", errors="replace")
    value = (found or "").strip()
    if value and (len(value) < SHORTEST_SECRET or not all("!" <= letter <= "~" for letter in value)):
        raise SettingsError(f"{name}: expected at least {SHORTEST_SECRET} printable ASCII letters without blanks")
    return value or None


def missing_secret(name: str) -> str:
    """The line for a key that is not set."""
    return (
        f"{name} is not set: put the provider's key into the environment, into .env, or into the file {SECRETS / name}"
    )


def _env_file() -> Mapping[str, str | None]:
    file = Settings.model_config["env_file"]
    return read_env_file(file, case_sensitive=True) if isinstance(file, Path) and file.is_file() else {}


@cache
def settings() -> Settings:
    """The settings of this process.

    Raises:
        SettingsError: naming the variable, what was expected and what was found.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "environment"
        variable = name if name.isupper() else f"STRADES_{name.upper()}"
        message = first["msg"].removeprefix("Value error, ")
        field = Settings.model_fields.get(name.lower())
        # What may hold a password or a token is not shown, whatever the variable is.
        secret = (field is not None and not field.repr) or re.search(r"://.*[@?]", str(first["input"]))
        raise SettingsError(f"{variable}: {message}" + ("" if secret else f", was {first['input']!r}")) from None


def _is_database_url(url: str) -> bool:
    """Whether all that read the URL (libpq, SQLAlchemy, yoyo, dbt) understand it, and the same by it."""
    found = _DATABASE_URL.fullmatch(url)
    if found is None or not url.isascii() or int(found["port"] or 5432) not in range(1, 65536):
        return False
    if re.search(r"%(?![\dA-Fa-f]{2})", url) or "%00" in url:
        return False
    try:
        unquote(url, errors="strict")
    except UnicodeDecodeError:
        return False
    pairs = [pair.partition("=") for pair in (found["query"] or "").split("&") if pair]
    return all(name in _DATABASE_URL_PARAMETERS and value for name, _, value in pairs)
