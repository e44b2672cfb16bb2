"""What moves by itself: the automation conditions, evaluated without a daemon, and the months of the schedules."""

from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from strades_pipelines.datamanager.fetch_log import Answer
from strades_pipelines.datamanager.planning import plan
from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.definitions import defs
from strades_pipelines.defs.automation.conditions import IDENTITY, move_by_data
from strades_pipelines.defs.automation.schedules import is_open_before, month_request
from strades_pipelines.keys import key
from strades_pipelines.partitions import MONTHS, SINGLE_RUN
from strades_pipelines.settings import settings

THIS_MONTH, LATE_MONTH = "2026-11-01", "2012-11-01"
YAHOO, GATEIO = key("rawsources", "yahoo"), key("rawsources", "gateio")
LISTINGS, CANDLES = key("records", "listings"), key("records", "candles")
BARS, DECISIONS = key("cleaned", "daily_bars"), key("signals", "decisions")
pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning")
UNPARTITIONED = (LISTINGS, DECISIONS)
Asked = dict[dg.AssetKey, set[str | None]]


def graph(listed: str = "1", *, names: bool = True, passes: bool = True) -> dg.Definitions:
    """The shape of the real graph in six assets, with its conditions and one blocking check."""
    assets = [
        asset(YAHOO),
        asset(GATEIO),
        asset(CANDLES, YAHOO, GATEIO, LISTINGS),
        asset(BARS, CANDLES),
        asset(DECISIONS, BARS, CANDLES),
        *([asset(LISTINGS, code_version=listed)] if names else []),
    ]

    @dg.asset_check(asset=CANDLES, blocking=True)
    def rows_have_bytes() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=passes)

    return dg.Definitions(assets=assets, asset_checks=[rows_have_bytes]).map_resolved_asset_specs(func=move_by_data)


def asset(name: dg.AssetKey, *deps: dg.AssetKey, code_version: str | None = None) -> dg.AssetsDefinition:
    """An asset that does nothing."""
    monthly = name not in UNPARTITIONED

    @dg.asset(
        key=name,
        deps=deps,
        code_version=code_version,
        partitions_def=MONTHS if monthly else None,
        backfill_policy=SINGLE_RUN if monthly else None,
    )
    def made() -> None: ...

    return made


class World:
    """An instance with the state of its automation. `tick` evaluates once, and what is asked for is made at once."""

    def __init__(self, definitions: dg.Definitions) -> None:
        self.definitions = definitions
        self.instance = dg.DagsterInstance.ephemeral()
        self.cursor: Any = None
        self.now = datetime(2026, 11, 20, 12, tzinfo=UTC)

    def tick(self) -> Asked:
        """The assets and months that are asked for, half a minute after the last tick."""
        self.now += timedelta(seconds=30)
        result = dg.evaluate_automation_conditions(
            self.definitions, self.instance, evaluation_time=self.now, cursor=self.cursor
        )
        self.cursor = result.cursor
        keys = self.definitions.resolve_asset_graph().executable_asset_keys
        found = {name: set(result.get_requested_partitions(name)) for name in keys}
        asked = {name: months for name, months in found.items() if months}
        for name, months in asked.items():
            self.make(name, *months)
        return asked

    def make(self, name: dg.AssetKey, *months: str | None) -> None:
        """Record that the asset was materialized."""
        for month in months or [None]:
            self.instance.report_runless_asset_event(dg.AssetMaterialization(name, partition=month))

    def run(self, name: dg.AssetKey, month: str) -> None:
        """Materialize the asset in a run, and run its checks."""
        self.definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance, asset_selection=[name], partition_key=month, raise_on_error=False
        )

    def begin(self, name: dg.AssetKey, month: str) -> None:
        """Begin a run that never ends."""
        self.instance.create_run_for_job(
            self.definitions.resolve_implicit_global_asset_job_def(),
            asset_selection={name},
            tags={"dagster/partition": month},
            status=dg.DagsterRunStatus.STARTED,
        )

    def check(self, *, passed: bool) -> None:
        """Record the result of the blocking check on what `CANDLES` holds now."""
        found = dg.AssetCheckEvaluation(CANDLES, "rows_have_bytes", passed=passed, blocking=True)
        self.instance.report_runless_asset_event(found)


@pytest.fixture
def world() -> World:
    """Set up and at rest."""
    made = World(graph())
    while made.tick():
        pass
    return made


def test_names_are_made_first_and_then_the_newest_month_is_worked_through() -> None:
    world = World(graph())
    assert world.tick() == {LISTINGS: {None}}
    assert world.tick() == {CANDLES: {THIS_MONTH}, BARS: {THIS_MONTH}}
    assert world.tick() == {DECISIONS: {None}}
    assert world.tick() == {}


def test_nothing_is_asked_for_while_names_are_missing() -> None:
    world = World(graph(names=False))
    world.tick()
    world.make(GATEIO, THIS_MONTH)
    assert BARS not in world.tick()
    assert CANDLES not in world.tick()


def test_a_fetch_is_followed_to_the_decisions_and_asked_for_once(world: World) -> None:
    world.make(GATEIO, THIS_MONTH)
    assert world.tick() == {CANDLES: {THIS_MONTH}, BARS: {THIS_MONTH}}
    assert world.tick() == {DECISIONS: {None}}
    assert world.tick() == {}
    assert world.tick() == {}


def test_runs_that_housekeeping_deleted_are_no_reason_for_work_and_do_not_hold_it_back(world: World) -> None:
    world.run(CANDLES, THIS_MONTH)
    while world.tick():
        pass
    for run in world.instance.get_runs():
        world.instance.run_storage.delete_run(run.run_id)
    assert world.tick() == {}
    world.make(GATEIO, THIS_MONTH)
    assert world.tick() == {CANDLES: {THIS_MONTH}, BARS: {THIS_MONTH}}


def test_a_source_without_data_in_the_month_does_not_hold_it_back(world: World) -> None:
    world.make(YAHOO, LATE_MONTH)
    assert not world.instance.get_latest_materialization_event(GATEIO)
    assert world.tick()[CANDLES] == {LATE_MONTH}


def test_a_late_revision_of_an_old_month_moves_on_in_that_month_only(world: World) -> None:
    world.make(YAHOO, LATE_MONTH)
    assert world.tick() == {CANDLES: {LATE_MONTH}, BARS: {LATE_MONTH}}
    assert world.tick() == {DECISIONS: {None}}
    assert world.tick() == {}


def test_a_failed_blocking_check_holds_back_what_comes_after_it(world: World) -> None:
    world.make(CANDLES, THIS_MONTH)
    world.check(passed=False)
    assert world.tick() == {}
    world.check(passed=True)
    assert world.tick()[BARS] == {THIS_MONTH}


def test_a_check_that_did_not_run_holds_nothing_back(world: World) -> None:
    world.definitions = graph(passes=False)
    world.run(CANDLES, THIS_MONTH)
    assert world.tick() == {}
    world.make(CANDLES, THIS_MONTH)
    assert world.tick()[BARS] == {THIS_MONTH}


def test_nothing_is_asked_for_while_its_month_is_worked_on_upstream(world: World) -> None:
    world.begin(YAHOO, LATE_MONTH)
    world.make(GATEIO, LATE_MONTH)
    assert world.tick() == {}


def test_work_on_an_old_month_does_not_hold_back_the_decisions(world: World) -> None:
    world.begin(BARS, LATE_MONTH)
    world.make(GATEIO, THIS_MONTH)
    assert world.tick() == {CANDLES: {THIS_MONTH}, BARS: {THIS_MONTH}}
    assert world.tick() == {DECISIONS: {None}}


def test_a_changed_list_of_sources_makes_the_names_anew(world: World) -> None:
    world.definitions = graph(listed="2")
    assert world.tick() == {LISTINGS: {None}}


def test_names_are_made_anew_every_night(world: World) -> None:
    world.now = world.now.replace(hour=23)
    assert world.tick() == {}
    world.now += timedelta(hours=2)
    assert world.tick() == {LISTINGS: {None}}
    assert world.tick() == {CANDLES: {THIS_MONTH}, BARS: {THIS_MONTH}}


def test_a_new_month_is_worked_through_when_it_begins(world: World) -> None:
    world.now = datetime(2026, 12, 1, tzinfo=UTC)
    assert world.tick()[CANDLES] == {"2026-12-01"}


def test_the_real_graph_is_worked_through_in_two_runs_and_comes_to_rest() -> None:
    world = World(defs())
    for name in IDENTITY:
        world.make(name)
    assert world.tick() == {}
    world.make(GATEIO, THIS_MONTH)
    first, second = world.tick(), world.tick()
    assert layers(first) == {"records", "staging", "cleaned", "features", "predictions"}
    assert {month for months in first.values() for month in months} == {THIS_MONTH}
    assert layers(second) == {"marts", "signals", "results", "ops"}
    assert world.tick() == {}
    world.make(key("trading", "fills"))
    assert layers(world.tick()) == {"results", "marts", "ops"}


def layers(asked: Asked) -> set[str]:
    """The layers of what was asked for."""
    return {name.path[0] for name in asked}


def asks_before(website: str, now: datetime, answered: datetime | None) -> bool:
    """Whether a schedule asks for the month before too, where all of it was answered at one time."""
    sources = load_sources(settings().sources)
    source, start = sources.website(website), now.replace(day=1, hour=0, minute=0)
    whole = plan(source, sources, window=(start - timedelta(days=31), now), now=now, log={})
    log = {r.request_key: Answer(r.url, answered, None, None) for r in whole} if answered else {}
    return is_open_before(source, sources, now, log)


def test_a_schedule_asks_for_the_month_before_until_all_of_it_was_answered_after_it_ended() -> None:
    """Treasury's yields of Friday 31 January 2025 are out at 23:00 UTC, after that day's run, or days later."""
    friday, monday = datetime(2025, 1, 31, 22, 30, tzinfo=UTC), datetime(2025, 2, 3, 22, 30, tzinfo=UTC)
    assert asks_before("treasury", monday, answered=friday)
    tuesday = monday + timedelta(days=1)
    assert asks_before("treasury", tuesday, answered=monday)
    assert not asks_before("treasury", tuesday + timedelta(days=1), answered=tuesday)
    assert asks_before("treasury", monday, answered=None)


def test_a_source_that_is_asked_for_years_is_not_asked_for_the_month_before_within_the_year() -> None:
    assert not asks_before("gateio_trades", datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 19, tzinfo=UTC))


def test_what_a_schedule_asks_for_is_one_run() -> None:
    now = datetime(2026, 12, 1, 0, 5, tzinfo=UTC)
    assert month_request(now, with_the_one_before=False).partition_key == "2026-12-01"
    request = month_request(now, with_the_one_before=True)
    assert request.partition_key is None
    assert request.tags == {
        "dagster/asset_partition_range_start": "2026-11-01",
        "dagster/asset_partition_range_end": "2026-12-01",
    }
