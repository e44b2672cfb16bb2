import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from strades_pipelines.settings import PROJECT, Settings, SettingsError, settings


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_a_bad_value_names_the_variable_and_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRADES_WEBSERVER_PORT", "many")
    with pytest.raises(SettingsError, match=r"^STRADES_WEBSERVER_PORT: .*integer.*was 'many'$"):
        settings()


def test_a_naive_clock_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRADES_SANDBOX_NOW", "2026-11-20T12:00:00")
    with pytest.raises(SettingsError, match="STRADES_SANDBOX_NOW"):
        settings()


def test_the_held_clock_stands_still_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRADES_SANDBOX_NOW", "2026-11-20T13:00:00+01:00")
    assert settings().now() == datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert settings().now().tzinfo is UTC


def test_the_live_world_ignores_the_held_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRADES_SANDBOX_NOW", "2001-01-01T00:00:00Z")
    monkeypatch.setenv("STRADES_WORLD", "live")
    assert settings().now().year > 2001


# Set by one process of ours for another, never by a person.
INTERNAL = {"STRADES_SPIDER_DATABASE", "STRADES_CRASH_AT"}


def test_the_example_names_every_variable_and_its_lines_can_be_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    example = (PROJECT / ".env.example").read_text()
    lines = dict(re.findall(r"^# ([A-Z_]+)=(.*)$", example, re.MULTILINE))
    fields = Settings.model_fields.items()
    variables = {str(field.validation_alias or f"STRADES_{name.upper()}") for name, field in fields}
    of_compose = set(re.findall(r"\$\{(\w+):-", (PROJECT / "docker-compose.yml").read_text()))
    assert set(lines) == variables - INTERNAL | of_compose
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
    for name in lines:
        monkeypatch.delenv(name, raising=False)
    read = Settings(_env_file=tmp_path / ".env")
    for name, field in fields:
        shown = getattr(read, name)
        if field.default not in (None, "") and name not in ("home", "sources", "wallets", "user_agent"):
            assert shown == field.default, f"{name}: the example shows another default"


def test_an_empty_secret_file_counts_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "STRADES_ALERT_SMTP", "STRADES_ALERT_WEBHOOK", "STRADES_DOCS_PORT"):
        monkeypatch.delenv(name, raising=False)
        (tmp_path / name).touch()
    (tmp_path / "STRADES_ALERT_WEBHOOK").write_text("https://hooks.example.org/token\n")
    read = Settings(_secrets_dir=tmp_path, _env_file=None)
    assert (read.database_url, read.alert_smtp, read.docs_port) == (None, None, 8081)
    assert read.alert_webhook == "https://hooks.example.org/token"
