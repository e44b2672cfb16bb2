import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from strades_pipelines.setting_formats import DATABASE_URL_FORM
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
INTERNAL = {"STRADES_SPIDER_DATABASE", "STRADES_DASHBOARD_DATABASE", "STRADES_CRASH_AT"}


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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STRADES_ALERT_WEBHOOK", "htp://hooks.example.org/geheim"),
        ("STRADES_ALERT_WEBHOOK", "https:///geheim"),
        ("STRADES_ALERT_SMTP", "smtp//u:geheim@mail"),
        ("STRADES_ALERT_SMTP", "https://u:geheim@mail"),
        ("STRADES_ALERT_SMTP", "smtp://u:geheim@[mail"),
    ],
)
def test_a_way_of_alerts_that_leads_nowhere_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    settings.cache_clear()
    with pytest.raises(SettingsError, match=f"^{name}: expected (http|smtp)://host or (https|smtps)://host$"):
        settings()


def complaint(url: str) -> str:
    """What is said of a DATABASE_URL; empty when it can be used."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", url)
        settings.cache_clear()
        try:
            return "" if settings().database_url else "it was ignored"
        except SettingsError as error:
            return str(error)


# No letters: what a message has in common with a password is then no chance.
PASSWORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=("Ll", "Lu")), min_size=4)


@given(PASSWORDS, st.sampled_from(["postgresql://{}@h/d", "postgresql://u:{}@h/d", "mysql://u:{}@h", "password={}"]))
@example("p%ss 1@2/3", "postgresql://u:{}@h:5432/d")
@example("p w", "postgresql://u:{}@h:5432/d")
def test_no_message_shows_a_part_of_the_password(password: str, form: str) -> None:
    said = complaint(form.format(password))
    assert said in ("", f"DATABASE_URL: {DATABASE_URL_FORM}")
    assert not any(password[start : start + 4] in said for start in range(len(password) - 3))


@pytest.mark.parametrize(
    "url",
    [
        "host=h user=u password=p dbname=d", "mysql://u:p@h/d", "postgresql://h/d", "postgresql://u:p@/d",
        "postgresql://u:p@@h/d", "postgresql://u:p%zz@h/d", "postgresql://u:p%@h/d", "postgresql://u:p q@h/d",
        "postgresql://u:p@h:99999/d", "postgresql://u:p@h:x/d", "postgresql://u:p@h/d?host=other", "postgresql://u:%00@h/d",
        "postgresql://u:p@h/d?sslmode", "postgresql://u:%ff@h/d", "postgresql://u:p?q@h/d", "postgresql://u:p#q@h/d",
    ],
)  # fmt: skip
def test_a_database_url_that_programs_read_differently_is_refused(url: str) -> None:
    assert complaint(url) == f"DATABASE_URL: {DATABASE_URL_FORM}"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@h", "postgres://u:p%40%20%C3%A9@db.example.org:5433/postgres", "postgresql://u@[::1]:5432/d",
        "postgresql://u:a+b~c!d$e@h/d?sslmode=verify-full&sslrootcert=/a%20b/ca.pem", "postgresql://u:p@h/d\n",
        "postgresql://u:p@h/d?require_auth=scram-sha-256",
    ],
)  # fmt: skip
def test_a_good_database_url_is_taken_by_the_name_that_all_know(url: str) -> None:
    assert complaint(url) == ""
    assert str(settings().database_url).startswith("postgresql://")


def test_no_secret_is_in_what_the_settings_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:topsecret@h/d")
    for name, scheme in (("ALERT_WEBHOOK", "https"), ("ALERT_SMTP", "smtp"), ("SPIDER_DATABASE", "postgresql")):
        monkeypatch.setenv(f"STRADES_{name}", f"{scheme}://u:topsecret@h/")
    assert "topsecret" not in repr(settings())


@pytest.mark.parametrize(
    "url",
    ["http://ada:pa55word@h/v1/traces", "https://h/v1/traces?api-key=pa55word", "ftp://h/pa55word", "https:pa55word"],
)
def test_the_url_of_a_collector_has_no_secret_and_an_error_repeats_none(
    give_settings: Callable[..., None], url: str
) -> None:
    give_settings(traces_url=url)
    with pytest.raises(
        SettingsError, match=r"STRADES_TRACES_URL: expected http.*; a key goes into STRADES_TRACES_HEADERS"
    ) as told:
        settings()
    assert url.startswith(("ftp", "https:pa")) or "pa55word" not in str(told.value)


@pytest.mark.parametrize(
    "headers", ["pa55word", "api key=pa55word", "api-key=", "api-key=pa55word\nhost=x", "x-team=desk,pa55word"]
)
def test_headers_of_a_collector_are_names_and_values(give_settings: Callable[..., None], headers: str) -> None:
    give_settings(traces_headers=headers)
    with pytest.raises(SettingsError, match="STRADES_TRACES_HEADERS: expected name=value, with commas between") as told:
        settings()
    assert "pa55word" not in str(told.value)
    give_settings(traces_headers="api-key=pa55=word,team=desk")
    assert settings().traces_headers == "api-key=pa55=word,team=desk"
    assert "pa55" not in repr(settings())


def test_the_archives_store_is_a_bucket_without_keys_beside_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    address = "s3://bucket/strades?region=eu-west-3&endpoint_override=s3.example.org:9000&scheme=https"
    for value in ("s3://AKID:a-secret-key@bucket/strades", "s3://bucket?access_key=a-secret-key", "/mnt/archive"):
        settings.cache_clear()
        monkeypatch.setenv("STRADES_ARCHIVE", "/mnt/archive")
        monkeypatch.setenv("STRADES_ARCHIVE_STORE", value)
        with pytest.raises(SettingsError, match="STRADES_ARCHIVE_STORE: expected s3://bucket/path") as refused:
            settings()
        assert "a-secret-key" not in str(refused.value)
    monkeypatch.setenv("STRADES_ARCHIVE_STORE", address)
    assert settings().archive_store == address
    settings.cache_clear()
    monkeypatch.setenv("STRADES_ARCHIVE", "")
    with pytest.raises(SettingsError, match="expected STRADES_ARCHIVE beside it"):
        settings()
