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
from typing import Literal

from pydantic import AwareDatetime, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings.sources.providers.dotenv import read_env_file

PROJECT = Path(__file__).resolve().parents[1]
SECRETS = Path("/run/secrets")
SHORTEST_SECRET = 8  # a shorter one would be found everywhere, and blotted out there
SECRET_VARIABLE = re.compile(
    r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|AUTH|^DATABASE_URL$|^DAGSTER_PG_|^PG|^STRADES_(ALERT_|SPIDER_DATABASE$)",
    re.IGNORECASE,
)


class SettingsError(ValueError):
    """A variable of the environment has a value that cannot be used."""


class Settings(BaseSettings):
    """What may be set from outside."""

    model_config = SettingsConfigDict(
        env_prefix="STRADES_",
        env_file=PROJECT / ".env",
        secrets_dir=SECRETS if SECRETS.is_dir() else None,
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
    database_url: str | None = Field(
        None, validation_alias="DATABASE_URL", description="a PostgreSQL server instead of the embedded one"
    )
    sandbox_url: str = Field("http://127.0.0.1:8090", description="where the sandbox server listens")
    sandbox_now: AwareDatetime | None = Field(
        None, description="holds the sandbox's clock, so that two runs can be compared"
    )
    sandbox_seed: int = Field(20260101, description="seed of the synthetic market")
    webserver_port: int = Field(3000, ge=1, le=65535)
    docs_port: int = Field(8081, ge=1, le=65535)
    window_from: date = Field(date(2012, 1, 1), description="first day of the main job's window")
    window_to: date = Field(date(2013, 3, 1), description="the day after its last")
    user_agent: str = Field(
        "strades/0.1 (set STRADES_USER_AGENT to your contact)", description="sent with every request"
    )
    sensor_seconds: int = Field(
        30, ge=1, description="how long the sensors that move data and trade wait before they look again"
    )
    live_trading: bool = Field(False, description="first of the two confirmations that live trading needs")
    alert_webhook: str | None = Field(None, description="URL that alerts are POSTed to as JSON; may hold a token")
    alert_smtp: str | None = Field(
        None, description="mail server of alerts: smtp://user:password@host:587, or smtps://"
    )
    alert_from: str = Field("strades@localhost", description="sender of alerts by mail")
    alert_to: str = Field("", description="receivers of alerts by mail, with commas between")
    events_kept_days: int = Field(
        90, ge=1, description="how long Dagster keeps what runs said besides what concerns assets"
    )
    show_tracebacks: bool = Field(False, description="show the whole traceback of an unexpected error")
    spider_database: str | None = Field(None, description="set by the process that starts a crawl: where answers go")
    crash_at: str | None = Field(None, description="tests only: the named point at which the process kills itself")

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
    if not found and (SECRETS / name).is_file():
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
    file = PROJECT / ".env"
    return read_env_file(file, case_sensitive=True) if file.is_file() else {}


def child_environment(**changed: str) -> dict[str, str]:
    """The environment for a child process that needs no secret: this one's without them, with `changed`."""
    kept = {name: value for name, value in os.environ.items() if not SECRET_VARIABLE.search(name)}
    return {**kept, **changed}


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
        raise SettingsError(f"{variable}: {first['msg']}, was {first['input']!r}") from None
