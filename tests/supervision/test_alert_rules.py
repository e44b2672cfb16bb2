"""Each rule is met by what it is about, and a person hears of it once: not again at a look, or after a restart."""

import os
import shutil
import socket
import threading
from collections import namedtuple
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
import psycopg
import pytest
import yaml  # type: ignore[import-untyped]
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.database import connection as places
from strades_pipelines.settings import PROJECT, settings
from strades_pipelines.supervision import watch
from strades_pipelines.supervision.alert_rules import OUTSIDE_RULES, RULES, prometheus_rules
from strades_pipelines.supervision.watch import WorkWatch, look_and_alert
from strades_pipelines.system.ports import free_port
from tests.supervision.fakes import webhook
from tests.test_sensors import LISTING, OPENED, PAPER

NOW = datetime.now(UTC)
Usage = namedtuple("Usage", "total used free")
# What is wrong, as rows: keys that lead elsewhere are not looked at, as in a dump that is restored.
WRONG = {
    "StreamSilent": (
        "INSERT INTO ops.stream_states (source, instrument_id, state, last_frame_at, gaps, updated_at)"
        " VALUES ('gateio', 'BTC', 'stale', now() - interval '20 min', 0, now() + interval '1 hour')"
    ),
    "StreamsUnkept": (
        "INSERT INTO ops.stream_states (source, instrument_id, state, gaps, updated_at)"
        " VALUES ('gateio_trades', 'BTC', 'live', 0, now() - interval '10 min')"
    ),
    "OrderUnknown": (
        "INSERT INTO trading.orders (sequence, filled, intent_id, wallet, broker, state, submitted_at, updated_at)"
        " VALUES (1, 0, 'i', (SELECT wallet FROM trading.wallets), 'paper', 'unknown', now() - interval '1 hour',"
        " now())"
    ),
    "FindingOpen": (
        "INSERT INTO trading.findings (finding_id, account, wallets, code, reference, occurred_at, detail, evidence,"
        " found_at)"
        " VALUES ('f1', 'paper/paper', '{paper}', 'foreign_fill', 'r', now(), 'd', '{}', now())"
    ),
    "BackupOld": "INSERT INTO ops.backups VALUES (now() - interval '27 hours', 'old.backup', 1, true)",
    "RecoveryDrillFailed": (
        "INSERT INTO ops.recovery_drills (drill, started_at, fault) VALUES ('d', now(), 'the archive is empty')"
    ),
    "ModelOld": (
        "INSERT INTO predictions.models (model_id, name, month, trained_at, train_from, train_to, train_rows,"
        " max_label_known_at, parameters, data_hash, fitted_hash, metrics, recorded_at)"
        " VALUES ('m', 'ridge', '2024-01-01', '2024-01-01', '2023-01-01', '2023-12-01', 1, '2023-12-01',"
        " '{}', 'd', 'f', '{}', now() - interval '50 days')"
    ),
    "PredictionsMissing": (
        "INSERT INTO predictions.forecasts (prediction_id, name, listing_id, session_date, decision_time, status,"
        " inputs_hash, recorded_at)"
        f" VALUES ('p', 'ridge', {LISTING}, '2026-01-01', now(), 'no_model', 'h', now())"
    ),
}


@pytest.fixture
def installation(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """A world with a wallet, and Dagster's tables in the same database; gives Dagster's instance."""
    name = urlsplit(database_url).path[1:]
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("STRADES_HOME", str(tmp_path))
    monkeypatch.setitem(places.WORLD_DATABASES, "sandbox", name)
    monkeypatch.setattr(watch, "DAGSTER_DATABASE", name)
    settings.cache_clear()
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO records.listings VALUES (%s, 'gateio', 'BTC_USDT', 'USDT', 0.1, 0.00001, 'raw', '24/7')",
            [LISTING],
        )
        open_wallet(connection, PAPER, now=OPENED)
        connection.execute("UPDATE trading.wallets SET opened_at = now()")  # it waits for no bar yet
    with dg.instance_for_test({"storage": {"postgres": {"postgres_url": database_url}}}) as instance:
        instance.all_instigator_state()  # which makes the tables
        with psycopg.connect(database_url) as connection:
            connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO strades_service")
        yield instance
    settings.cache_clear()


def run_schedule(instance: dg.DagsterInstance, name: str, *, since: datetime) -> None:
    """Write what the daemon writes of a schedule that has run since then, and ticked a moment ago."""
    location = InProcessCodeLocationOrigin(LoadableTargetOrigin(), location_name="here")
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "r"), name)
    data = ScheduleInstigatorData("* * * * *", since.timestamp())
    state = InstigatorState(origin, InstigatorType.SCHEDULE, InstigatorStatus.RUNNING, data)
    instance.add_instigator_state(state)
    now = datetime.now(UTC).timestamp()
    tick = TickData(
        origin.get_id(), name, InstigatorType.SCHEDULE, TickStatus.SKIPPED, now, selector_id=state.selector_id
    )
    instance.create_tick(tick)


def break_everything(instance: dg.DagsterInstance, url: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bring about what each rule is about, but for the archive: `tests/database/test_recovery.py` breaks one."""
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        for statement in WRONG.values():
            connection.execute(statement.encode())
    run_schedule(instance, "gateio_schedule", since=NOW - timedelta(hours=3))
    run = instance.create_run_for_job(dg.job(name="waits")(lambda: None))
    with psycopg.connect(url) as connection:
        late = NOW - timedelta(hours=3)
        connection.execute(
            "UPDATE runs SET status = 'QUEUED', create_timestamp = %s WHERE run_id = %s",
            [late.replace(tzinfo=None), run.run_id],
        )
    (home / "base" / f"{NOW - timedelta(hours=27):%Y%m%dT%H%M%SZ}-full").mkdir(parents=True)
    statuses = home / "postgres" / "data" / "pg_wal" / "archive_status"
    statuses.mkdir(parents=True)
    (statuses / "000000010000000000000001.ready").touch()
    os.utime(statuses / "000000010000000000000001.ready", (NOW.timestamp() - 1000,) * 2)
    monkeypatch.setenv("STRADES_ARCHIVE", str(home))
    settings.cache_clear()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100, 91, 9))


def test_each_rule_sends_one_message_and_none_again_after_a_restart(
    installation: dg.DagsterInstance, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with webhook() as (url, alerts):
        monkeypatch.setenv("STRADES_ALERT_WEBHOOK", url)
        settings.cache_clear()
        assert look_and_alert().lags == []
        break_everything(installation, database_url, tmp_path, monkeypatch)
        for _ in range(3):
            look_and_alert()
            settings.cache_clear()
        subjects = sorted(str(alert["subject"]) for alert in alerts)
        titles = {rule.title for rule in RULES if rule.name not in ("WalArchiveFailing", "FiguresUnreadable")}
        assert len(subjects) == len(titles) + 1  # two disks: the home's and the archive's
        assert all(any(subject.startswith(title) for subject in subjects) for title in titles)
        monkeypatch.undo()
        assert "orders are in doubt" in subjects
    [order] = [alert["message"] for alert in alerts if alert["subject"] == "orders are in doubt"]
    assert order == "strades_orders_unknown is 1; ask their venue; `strades doctor` names them"


@pytest.mark.usefixtures("installation")
def test_what_was_mended_and_breaks_again_is_told_again(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = WRONG["RecoveryDrillFailed"]
    with webhook() as (url, alerts), psycopg.connect(database_url, autocommit=True) as connection:
        monkeypatch.setenv("STRADES_ALERT_WEBHOOK", url)
        settings.cache_clear()
        for statement in (
            wrong,
            "UPDATE ops.recovery_drills SET fault = NULL",
            "DELETE FROM ops.recovery_drills",
            wrong,
        ):
            connection.execute(statement.encode())
            look_and_alert()
    assert [alert["subject"] for alert in alerts] == ["the recovery drill failed"] * 2


@pytest.mark.usefixtures("installation")
def test_what_cannot_be_read_for_a_while_is_not_told_again(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The world's figures alone, and then the database; the second message is of what is new."""
    with webhook() as (url, alerts), psycopg.connect(database_url, autocommit=True) as connection:
        monkeypatch.setenv("STRADES_ALERT_WEBHOOK", url)
        settings.cache_clear()
        connection.execute(WRONG["RecoveryDrillFailed"].encode())
        look_and_alert()
        connection.execute("ALTER TABLE ops.recovery_drills RENAME COLUMN fault TO fault_of_before")
        look_and_alert()
        connection.execute("ALTER TABLE ops.recovery_drills RENAME COLUMN fault_of_before TO fault")
        look_and_alert()
        monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none?connect_timeout=1")
        settings.cache_clear()
        look_and_alert()
        monkeypatch.setenv("DATABASE_URL", database_url)
        settings.cache_clear()
        look_and_alert()
    assert [alert["subject"] for alert in alerts] == [
        "the recovery drill failed",
        "figures cannot be read: world",
        "database",
    ]


@pytest.mark.usefixtures("installation")
def test_what_could_not_be_delivered_is_told_with_the_next_look(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(WRONG["RecoveryDrillFailed"].encode())
    monkeypatch.setenv("STRADES_ALERT_WEBHOOK", f"http://127.0.0.1:{free_port()}/nobody")
    settings.cache_clear()
    look_and_alert()
    with webhook() as (url, alerts):
        monkeypatch.setenv("STRADES_ALERT_WEBHOOK", url)
        settings.cache_clear()
        for _ in range(2):
            look_and_alert()
    assert [alert["subject"] for alert in alerts] == ["the recovery drill failed"]


@pytest.mark.usefixtures("installation")
def test_a_switch_that_answers_nonsense_stops_no_look(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            client, _ = listening.accept()
            with client:
                client.recv(1000)
                client.sendall(b"garbage\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        for url in (f"http://127.0.0.1:{listening.getsockname()[1]}/x", "http://127.0.0.1:1/with a blank"):
            monkeypatch.setenv("STRADES_ALERT_HEARTBEAT", url)
            settings.cache_clear()
            look_and_alert()
        thread.join()


@pytest.mark.usefixtures("installation")
def test_what_up_told_is_not_told_again_by_its_next_start(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch within `strades up`: what it finds, it tells once, however often `up` is started."""
    told: list[str] = []

    def deliver(subject: str, _message: str) -> bool:
        told.append(subject)
        return True

    monkeypatch.setattr(watch, "SECONDS", 0)
    with psycopg.connect(database_url) as connection:
        connection.execute(WRONG["RecoveryDrillFailed"].encode())
    for _ in range(2):
        started = WorkWatch(deliver, lambda *_: None)
        started.look(NOW - watch.CATCH_UP)
        for thread in threading.enumerate():
            if thread.name == "work-watch":
                thread.join()
    assert told == ["the recovery drill failed"]


@pytest.mark.usefixtures("installation")
def test_the_dead_mans_switch_is_called_with_each_look_also_without_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering() as (url, calls):
        monkeypatch.setenv("STRADES_ALERT_HEARTBEAT", f"{url}/token")
        settings.cache_clear()
        look_and_alert()
        monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none?connect_timeout=1")
        settings.cache_clear()
        assert look_and_alert().lags
    assert calls == ["/token"] * 2
    assert look_and_alert().lags  # nobody answers any more: that stops no look


@contextmanager
def answering() -> Iterator[tuple[str, list[str]]]:
    """The URL of a web server that keeps the paths it is asked for."""
    paths: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", paths
        server.shutdown()


def test_prometheus_has_the_same_rules() -> None:
    document = yaml.safe_load((PROJECT / "deploy" / "prometheus" / "alerts.yml").read_text())
    assert document == prometheus_rules(), "python -m strades_pipelines.supervision.alert_rules > the file"
    names = [rule["alert"] for rule in document["groups"][0]["rules"]]
    assert names == [rule.name for rule in (*RULES, *OUTSIDE_RULES)] + ["StradesGone"]


def test_a_bound_is_met_on_its_own_side_alone() -> None:
    met: dict[str, Any] = {rule.name: [rule.is_met(value) for value in (0.0, 0.3, 1e9)] for rule in RULES}
    assert met["DiskLow"] == [True, False, False]
    assert met["OrderUnknown"] == [False, True, True]
