"""Who is behind: judged by pure functions, and read from the real tables, with and without a database."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.settings import settings
from strades_pipelines.supervision.watch import OpenLags, look, look_and_alert
from strades_pipelines.supervision.watchdog import (
    TICK_ALLOWANCE,
    Lag,
    Ticker,
    WalletFeed,
    ago,
    late_tickers,
    late_wallets,
    read_tickers,
    read_wallets,
)
from tests.supervision.fakes import webhook

NOW = datetime(2026, 11, 20, 12, 0, 30, tzinfo=UTC)
HALF_MINUTE, MINUTE = timedelta(seconds=30), timedelta(minutes=1)
NOWHERE = "postgresql://strades@127.0.0.1:1/strades?connect_timeout=1"


def sensor(last_tick: datetime | None, since: datetime | None = None) -> Ticker:
    """A sensor that looks every half minute."""
    return Ticker("trade_sensor", None, HALF_MINUTE, since, last_tick)


def schedule(cron: str, last_tick: datetime | None, since: datetime | None = None) -> Ticker:
    """A schedule."""
    return Ticker("gateio_schedule", cron, HALF_MINUTE, since, last_tick)


@given(st.integers(0, 100_000))
def test_a_sensor_is_late_from_its_interval_and_the_allowance_on(seconds: int) -> None:
    late = bool(late_tickers([sensor(NOW - timedelta(seconds=seconds))], NOW))
    assert late is (timedelta(seconds=seconds) > HALF_MINUTE + TICK_ALLOWANCE)


@given(st.integers(1, 100_000), st.integers(1, 100_000))
def test_nothing_is_late_that_was_due_while_nothing_was_served(age: int, served: int) -> None:
    lags = late_tickers(
        [sensor(NOW - timedelta(seconds=age))], NOW, since=NOW - timedelta(seconds=min(served, 3 * 60 + 29))
    )
    assert lags == []


def test_a_schedule_is_late_when_the_tick_that_was_due_did_not_come() -> None:
    noon = NOW.replace(second=0)
    assert late_tickers([schedule("*/5 * * * *", noon - 5 * MINUTE)], NOW) == []  # noon's may still come
    (lag,) = late_tickers([schedule("*/5 * * * *", noon - 15 * MINUTE)], NOW)
    assert str(lag) == "gateio_schedule last ticked 15 min ago, was due 5 min ago"
    assert late_tickers([schedule("0 22 * * 1-5", noon - timedelta(hours=14))], NOW) == []
    assert late_tickers([schedule("0 0 1 * *", None, since=noon)], NOW) == []
    assert len(late_tickers([schedule("0 0 1 * *", None)], NOW)) == 1


def feed(age: timedelta, *, always_open: bool = True) -> WalletFeed:
    """A wallet of minute bars whose newest began `age` ago."""
    return WalletFeed("paper", MINUTE, always_open, NOW - age, NOW - timedelta(days=30))


def test_a_wallet_is_late_in_its_own_intervals_and_a_closed_market_is_no_delay() -> None:
    assert late_wallets([feed(20 * MINUTE)], NOW) == []
    (lag,) = late_wallets([feed(61 * MINUTE)], NOW)
    assert str(lag) == "wallet paper 60 intervals behind"
    assert late_wallets([feed(timedelta(days=3), always_open=False)], NOW) == []
    assert len(late_wallets([feed(timedelta(days=6), always_open=False)], NOW)) == 1


def test_each_lag_is_told_once_until_it_was_made_up(tmp_path: Path) -> None:
    open_lags, lag = OpenLags(tmp_path / "told.json"), Lag("trade_sensor", "last ticked 4 min ago")
    assert open_lags.new([lag]) == [lag]
    assert open_lags.new([lag]) == [lag]  # nobody was told yet
    open_lags.add(lag)
    assert OpenLags(tmp_path / "told.json").new([Lag("trade_sensor", "last ticked 5 min ago")]) == []  # a restart
    assert open_lags.new([], {"work"}) == []  # nobody knows whether it still is
    assert open_lags.new([lag]) == []
    assert open_lags.new([], {"world"}) == []
    assert open_lags.new([lag]) == [lag]


@given(st.integers(0, 10**7))
def test_an_age_is_told_in_one_unit(seconds: int) -> None:
    number, unit, _ = ago(timedelta(seconds=seconds)).split()
    size = {"s": 1, "min": 60, "h": 3600, "d": 86400}[unit]
    assert 0 <= seconds - int(number) * size < size


def test_what_dagster_keeps_of_its_schedules_and_sensors_is_read(database_url: str) -> None:
    """Written by Dagster itself."""

    @dg.job
    def work() -> None: ...

    @dg.sensor(job=work, minimum_interval_seconds=45)
    def looker() -> None: ...

    hourly = dg.ScheduleDefinition(job=work, cron_schedule="7 * * * *", name="hourly")
    stopped = dg.ScheduleDefinition(job=work, cron_schedule="8 * * * *", name="stopped")
    definitions = dg.Definitions(jobs=[work], sensors=[looker], schedules=[hourly, stopped])
    with dg.instance_for_test({"storage": {"postgres": {"postgres_url": database_url}}}) as instance:
        started = write_states(instance, definitions, off={"stopped"})
        found = {ticker.name: ticker for ticker in read_tickers(database_url, database_url)}
    assert set(found) == {"looker", "hourly"}
    assert found["looker"].every == timedelta(seconds=45)
    assert found["hourly"].cron == "7 * * * *"
    assert found["hourly"].since == started
    assert found["looker"].last_tick == started
    assert found["hourly"].last_tick is None


def write_states(instance: dg.DagsterInstance, definitions: dg.Definitions, *, off: set[str]) -> datetime:
    """What the daemon writes: a state for each, and a tick of the sensor. Returns the time of both."""
    from dagster._core.remote_origin import (
        InProcessCodeLocationOrigin,
        RemoteInstigatorOrigin,
        RemoteRepositoryOrigin,
    )
    from dagster._core.scheduler.instigation import (
        InstigatorState,
        InstigatorStatus,
        InstigatorType,
        ScheduleInstigatorData,
        SensorInstigatorData,
        TickData,
        TickStatus,
    )
    from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

    at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    repository = RemoteRepositoryOrigin(InProcessCodeLocationOrigin(LoadableTargetOrigin(), location_name="here"), "r")
    for name, kind in (("looker", InstigatorType.SENSOR), ("hourly", InstigatorType.SCHEDULE), ("stopped", None)):
        origin = RemoteInstigatorOrigin(repository, name)
        is_sensor = kind == InstigatorType.SENSOR
        data: Any = SensorInstigatorData(min_interval=45) if is_sensor else None
        data = data or ScheduleInstigatorData("7 * * * *", at.timestamp())
        status = InstigatorStatus.STOPPED if name in off else InstigatorStatus.DECLARED_IN_CODE
        state = InstigatorState(origin, kind or InstigatorType.SCHEDULE, status, data)
        instance.add_instigator_state(state)
        if is_sensor:
            instance.create_tick(
                TickData(
                    origin.get_id(), name, InstigatorType.SENSOR, TickStatus.SKIPPED, at.timestamp(),
                    selector_id=state.selector_id,
                )
            )  # fmt: skip
    assert definitions
    return at


def test_the_newest_bar_of_a_wallet_that_trades_is_read(
    connection: "psycopg.Connection[Any]", database_url: str
) -> None:
    from strades_pipelines.brokerage.wallet_opening import open_wallet
    from tests.test_sensors import LISTING, OPENED, PAPER

    connection.execute(
        "INSERT INTO records.listings VALUES (%s, 'gateio', 'BTC_USDT', 'USDT', 0.1, 0.00001, 'raw', '24/7')", [LISTING]
    )
    open_wallet(connection, PAPER, now=OPENED)
    connection.commit()
    (wallet,) = read_wallets(database_url)
    assert wallet == WalletFeed("paper", MINUTE, True, None, OPENED)


def test_a_database_that_is_away_is_what_is_behind_and_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [str(lag) for lag in look(NOWHERE, NOWHERE).lags] == ["database does not answer; see `strades doctor`"]
    with webhook() as (url, alerts):
        monkeypatch.setenv("STRADES_HOME", str(tmp_path))
        monkeypatch.setenv("STRADES_ALERT_WEBHOOK", url)
        monkeypatch.setenv("DATABASE_URL", NOWHERE)
        settings.cache_clear()
        try:
            for _ in range(2):
                assert look_and_alert().lags
        finally:
            settings.cache_clear()
    assert [alert["subject"] for alert in alerts] == ["database"]
    assert json.loads((tmp_path / "watch.json").read_text()) == {"database": "work"}
