"""The trade sensor on a database of its own, and the sensors that call a person."""

import runpy
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import dagster as dg
import psycopg
import pytest
from dagster._core.definitions.run_status_sensor_definition import RunStatusSensorCursor

from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.brokerage.wallets import WalletTemplate
from strades_pipelines.defs.automation import alerts
from strades_pipelines.defs.automation.alerts import call, check_failure_alert_sensor, run_failure_alert_sensor
from strades_pipelines.defs.trading.execution_job import trade_sensor
from strades_pipelines.resources.database import Database
from strades_pipelines.resources.notifier import Notifier
from strades_pipelines.settings import settings

OPENED = datetime(2026, 11, 20, 12, tzinfo=UTC)
LISTING = 11
PAPER = WalletTemplate(
    name="paper",
    mode="paper",
    strategy="sma_cross",
    parameters={"fast": 1, "slow": 2, "size": 2.0},
    instruments=("gateio:BTC_USDT",),
    interval="1m",
    currency="USDT",
    cash=Decimal(1000),
    fee_rate=Decimal("0.001"),
    max_age=timedelta(minutes=15),
    opened_at=OPENED,
)


@pytest.fixture
def market(connection: "psycopg.Connection[Any]") -> "psycopg.Connection[Any]":
    """One listing and one open paper wallet."""
    connection.execute(
        "INSERT INTO records.listings VALUES (%s, 'gateio', 'BTC_USDT', 'USDT', 0.1, 0.00001, 'raw', '24/7')", [LISTING]
    )
    open_wallet(connection, PAPER, now=OPENED)
    return connection


def decide(connection: "psycopg.Connection[Any]", name: str) -> None:
    """Record a decision."""
    connection.execute(
        """
        INSERT INTO signals.decisions
        SELECT %s, 'paper', 'sma_cross', %s, %s, 'bar', '1m', count(*), 0, 1, 'crossed', '{}', %s
        FROM signals.decisions
        """,
        [name, LISTING, OPENED, OPENED],
    )
    connection.commit()


def refuse(connection: "psycopg.Connection[Any]", name: str) -> None:
    """Record that a decision never becomes an order."""
    row = [name, "paper", "too_old", "", OPENED]
    connection.execute("INSERT INTO trading.refusals VALUES (%s, %s, %s, %s, %s)", row)
    connection.commit()


def tick(url: str) -> dg.SensorResult | dg.SkipReason:
    """One evaluation of the trade sensor."""
    context = dg.build_sensor_context(resources={"database": Database(url=url)})
    return cast("dg.SensorResult | dg.SkipReason", trade_sensor(context))


def run_keys(found: dg.SensorResult | dg.SkipReason) -> list[str | None]:
    """The keys of the runs that were asked for."""
    assert isinstance(found, dg.SensorResult)
    return [request.run_key for request in found.run_requests or ()]


@pytest.mark.usefixtures("market")
def test_nothing_is_launched_while_nothing_waits(database_url: str) -> None:
    assert isinstance(tick(database_url), dg.SkipReason)


def test_two_decisions_in_one_tick_are_one_run(market: "psycopg.Connection[Any]", database_url: str) -> None:
    decide(market, "A")
    decide(market, "B")
    assert len(run_keys(tick(database_url))) == 1


def test_the_same_decisions_ask_for_the_same_run(market: "psycopg.Connection[Any]", database_url: str) -> None:
    decide(market, "A")
    assert run_keys(tick(database_url)) == run_keys(tick(database_url))


def test_another_decision_asks_for_another_run(market: "psycopg.Connection[Any]", database_url: str) -> None:
    decide(market, "A")
    before = run_keys(tick(database_url))
    decide(market, "B")
    assert run_keys(tick(database_url)) != before


def test_a_refused_decision_does_not_wait(market: "psycopg.Connection[Any]", database_url: str) -> None:
    decide(market, "A")
    refuse(market, "A")
    assert isinstance(tick(database_url), dg.SkipReason)


def test_a_failed_run_is_told_with_its_place_and_reason(
    caplog: pytest.LogCaptureFixture, connection: "psycopg.Connection[Any]", database_url: str
) -> None:
    @dg.asset(key=["rawsources", "yahoo"])
    def broken() -> None:
        raise ValueError("the host said no\nwith details that nobody needs at night")

    instance, result = run(dg.Definitions(assets=[broken]))
    run_failure_alert_sensor(context(instance, result, result.get_run_failure_event(), database_url).for_run_failure())
    (message,) = caplog.messages
    assert message.endswith("failed at rawsources/yahoo: the host said no")
    ((kind, value),) = connection.execute("SELECT event_type_id, value FROM ops.events").fetchall()
    assert (kind, value["message"], value["ways"]) == ("alert", "the host said no", ["log"])


def sensed(sensor: dg.SensorDefinition, instance: dg.DagsterInstance, definitions: dg.Definitions, url: str) -> None:
    """Evaluate a sensor as the daemon does, over the real events of an instance, from before all of them."""
    cursor = RunStatusSensorCursor(record_id=0, update_timestamp="2000-01-01T00:00:00+00:00").to_json()  # type: ignore[no-untyped-call]
    resources = {"notifier": Notifier(), "database": Database(url=url)}
    with dg.build_sensor_context(
        instance=instance,
        cursor=cursor,
        repository_def=definitions.get_repository_def(),
        resources=resources,
        sensor_name=sensor.name,
    ) as context:
        found = sensor.evaluate_tick(context)
    errors = [reaction.error for reaction in found.dagster_run_reactions or () if reaction.error]
    assert not errors, errors


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("the code location ended before this run did", "the code location ended before this run did"),
        (
            "Exceeded maximum runtime of 7200 seconds: terminating run.",
            "Exceeded maximum runtime of 7200 seconds: terminating run.",
        ),
        (None, "This run has been marked as failed from outside the execution context."),
    ],
)
def test_a_run_that_was_ended_from_outside_is_told(
    caplog: pytest.LogCaptureFixture, database_url: str, message: str | None, told: str
) -> None:
    """What `report_run_failed` sends: restarts, Dagster's run monitor, the limit of memory."""

    @dg.job
    def fetch_job() -> None: ...

    definitions = dg.Definitions(jobs=[fetch_job])
    instance = dg.DagsterInstance.ephemeral()
    run_id = instance.create_run_for_job(fetch_job, status=dg.DagsterRunStatus.STARTED).run_id
    run_found = instance.get_run_by_id(run_id)
    assert run_found is not None
    instance.report_run_failed(run_found, message)
    sensed(run_failure_alert_sensor, instance, definitions, database_url)
    (line,) = [line for line in caplog.messages if line.startswith("ALERT")]
    assert line.startswith(f"ALERT run {run_id[:8]} failed: {told}")


def test_a_run_whose_worker_reports_an_error_is_told_with_its_cause(
    caplog: pytest.LogCaptureFixture, database_url: str
) -> None:
    @dg.asset(key=["rawsources", "ecb"])
    def broken() -> None:
        raise ValueError("the host said no")

    definitions = dg.Definitions(assets=[broken])
    instance, result = run(definitions)
    sensed(run_failure_alert_sensor, instance, definitions, database_url)
    (line,) = [line for line in caplog.messages if line.startswith("ALERT")]
    assert line == f"ALERT run {result.run_id[:8]} failed at rawsources/ecb: the host said no"


def test_a_run_that_dagster_has_launched_again_is_not_told(
    caplog: pytest.LogCaptureFixture, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "RETRY_SECONDS", 0.1)  # nobody retries here

    @dg.job
    def fetch_job() -> None: ...

    definitions = dg.Definitions(jobs=[fetch_job])
    with dg.instance_for_test({"run_retries": {"enabled": True, "max_retries": 1}}) as instance:
        for tags in ({"dagster/auto_retry_run_id": "another"}, {}):
            begun = instance.create_run_for_job(fetch_job, status=dg.DagsterRunStatus.STARTED)
            instance.add_run_tags(begun.run_id, tags)
            instance.report_run_failed(begun, f"its process is gone {len(tags)}")
        sensed(run_failure_alert_sensor, instance, definitions, database_url)
    (line,) = [line for line in caplog.messages if line.startswith("ALERT")]
    assert line.endswith("failed: its process is gone 0")


def test_a_failed_check_of_a_run_that_went_through_is_told_by_its_sensor(
    caplog: pytest.LogCaptureFixture, database_url: str
) -> None:
    @dg.asset(key=["trading", "fees"])
    def fees() -> None: ...

    @dg.asset_check(asset=fees)
    def sums_up() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=False, metadata={"violations": 3})

    definitions = dg.Definitions(assets=[fees], asset_checks=[sums_up])
    instance, _ = run(definitions)
    sensed(check_failure_alert_sensor, instance, definitions, database_url)
    (line,) = [line for line in caplog.messages if line.startswith("ALERT")]
    assert line.endswith("trading/fees fails sums_up: violations 3")


def test_an_alert_goes_out_though_the_database_is_away(caplog: pytest.LogCaptureFixture) -> None:
    nowhere = Database(url="postgresql://strades@127.0.0.1:1/strades?connect_timeout=1")
    call(Notifier(), nowhere, "run", "run failed", "the disk is full")
    assert caplog.messages[0] == "ALERT run failed: the disk is full"
    assert len(caplog.messages) == 2


def test_a_failed_check_is_told_though_its_run_went_through(
    caplog: pytest.LogCaptureFixture, database_url: str
) -> None:
    @dg.asset(key=["trading", "cash"])
    def cash() -> None: ...

    @dg.asset_check(asset=cash)
    def sums_up() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=False, metadata={"violations": 2})

    @dg.asset_check(asset=cash)
    def is_there() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    instance, result = run(dg.Definitions(assets=[cash], asset_checks=[sums_up, is_there]))
    check_failure_alert_sensor(context(instance, result, result.get_run_success_event(), database_url))
    (message,) = caplog.messages
    assert message.endswith("trading/cash fails sums_up: violations 2")


def run(definitions: dg.Definitions) -> tuple[dg.DagsterInstance, dg.ExecuteInProcessResult]:
    """Execute all of it on an instance of its own."""
    instance = dg.DagsterInstance.ephemeral()
    job = definitions.resolve_implicit_global_asset_job_def()
    return instance, job.execute_in_process(instance=instance, raise_on_error=False)


def context(
    instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult, event: dg.DagsterEvent, url: str
) -> dg.RunStatusSensorContext:
    """What the daemon hands to a sensor that looks at runs."""
    return dg.build_run_status_sensor_context(
        "sensor", event, instance, result.dagster_run, resources={"notifier": Notifier(), "database": Database(url=url)}
    )


@pytest.mark.parametrize(("given", "seconds"), [("", 30), ("7", 7)])
def test_how_long_those_that_move_data_and_trade_wait_is_a_setting(
    given: str, seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRADES_SENSOR_SECONDS", given)
    settings.cache_clear()
    try:
        data = runpy.run_module("strades_pipelines.defs.automation.data_sensor")["data_sensor"]
        trade = runpy.run_module("strades_pipelines.defs.trading.execution_job")["trade_sensor"]
    finally:
        settings.cache_clear()
    assert {data.minimum_interval_seconds, trade.minimum_interval_seconds} == {seconds}
