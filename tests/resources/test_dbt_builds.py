"""Where nothing is new dbt does not run, and what it said last is said again; where anything is, it runs."""

import json
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg
import psycopg
import pytest

from strades_pipelines.database.connection import connect
from strades_pipelines.resources.dbt import DbtRunnerResource
from strades_pipelines.resources.dbt_builds import Build, Result, begin_build, relation_name
from strades_pipelines.resources.dbt_project import ensure_manifest
from tests.database.table_counters import read_counters
from tests.dbt_project.building import dbt_folder, rows
from tests.dbt_project.seeding import candles, days, listing
from tests.dying import die_at
from tests.resources.test_dbt import assets_of

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

BUILD_IDS = "SELECT layer, build_id FROM ops.dbt_builds ORDER BY layer"
WRITTEN = """
    SELECT schemaname || '.' || relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables ORDER BY 1
"""
CANDLE = """
    INSERT INTO records.candles (listing_id, "interval", open_time, close_time, open, high, low, close, knowledge_time,
        knowledge_basis, fetch_id, recorded_at)
    VALUES (1, '1m', '2024-01-01', '2024-01-01T00:01Z', 1, 1, 1, 1, '2024-01-01T00:01Z', 'stated', 1, now())
"""
ARTICLE = """
    INSERT INTO records.articles (source, article_id, title, authors, categories, knowledge_time, knowledge_basis,
        fetch_id, recorded_at) VALUES ('s', 'a', 't', '{}', '{}', '2024-01-01', 'observed', 1, now())
"""
WALLET = """
    INSERT INTO trading.wallets (wallet, mode, strategy, parameters, instruments, "interval", code_hash, currency,
        opening_cash, fee_rate, opened_at, max_decision_age, broker)
    VALUES ('w', 'paper', 's', '{}', '{}', '1d', 'h', 'USD', 1, 0, now(), '1 day', 'paper')
"""
# By what dbt reads, a statement that changes it.
CHANGES = {
    "records.instruments": "INSERT INTO records.instruments VALUES ('A', 'A', 'A', 'equity', '1d')",
    "records.listings": "UPDATE records.listings SET tick_size = 0.05",
    "records.sessions": "INSERT INTO records.sessions VALUES ('XNYS', '2024-01-02', '2024-01-02', '2024-01-03', false)",
    "records.candles": CANDLE,
    "records.observations": """
        INSERT INTO records.observations VALUES ('s', '2024-01-01', 1, 'u', NULL, '2024-01-01', 'stated', 1, now())
    """,
    "records.corporate_actions": """
        INSERT INTO records.corporate_actions
        VALUES (1, '2024-01-02', 'dividend', NULL, 1, 'USD', '2024-01-02', 'stated', 1, now())
    """,
    "records.bar_series": "INSERT INTO records.bar_series VALUES (1, '1d', 's', '2024-01-01', NULL, 86400, NULL, 60)",
    "records.articles": ARTICLE,
    "records.articles, gone": "TRUNCATE records.articles",
    "records.candles, gone": "TRUNCATE records.candles",
    "trading.wallets": WALLET,
    "results.equity": WALLET + "; INSERT INTO results.equity VALUES ('w', now(), 1, 1, 2, 2)",
    "results.performance": WALLET + "; INSERT INTO results.performance VALUES ('w', '{}', '{}')",
}


def store_coin(adbc: "Connection") -> None:
    """Store a listing with 40 days of prices."""
    listing(adbc, 1, symbol="BTC")
    candles(adbc, 1, dict.fromkeys(days(date(2024, 1, 1), 40), 10.0))


@pytest.fixture
def runner(database_url: str, adbc: "Connection") -> DbtRunnerResource:
    """dbt on a database with 40 days of a coin."""
    store_coin(adbc)
    return DbtRunnerResource(url=database_url, target=str(dbt_folder()))


def run(runner: DbtRunnerResource, **options: Any) -> dg.ExecuteInProcessResult:
    """A run of every model, or of what `selection` says."""
    return dg.materialize([assets_of(runner)], resources={"dbt": runner}, raise_on_error=False, **options)


def said(result: dg.ExecuteInProcessResult) -> tuple[dict[Any, Any], dict[Any, bool]]:
    """Rows by asset, and whether each check passed."""
    made = result.get_asset_materialization_events()
    counted = {event.asset_key: event.materialization.metadata.get("dagster/row_count") for event in made}
    return counted, {check.asset_check_key: check.passed for check in result.get_asset_check_evaluations()}


def build_ids(url: str) -> list[Any]:
    """Of the builds that are known: another one where dbt ran."""
    return rows(url, BUILD_IDS)


def test_a_run_with_nothing_new_says_the_same_and_writes_nothing(
    runner: DbtRunnerResource, database_url: str, adbc: "Connection"
) -> None:
    first, known = run(runner), build_ids(database_url)
    before = read_counters(database_url, WRITTEN, adbc)
    second = run(runner)
    assert build_ids(database_url) == known
    assert read_counters(database_url, WRITTEN, adbc) == before
    assert said(second) == said(first)
    assert said(first)[0]
    assert all(said(first)[1].values())


@pytest.mark.slow
def test_a_check_that_failed_fails_again_and_passes_once_it_is_mended(
    runner: DbtRunnerResource, connection: psycopg.Connection[Any]
) -> None:
    connection.execute("ALTER TABLE records.listings DROP CONSTRAINT listings_adjustment_check")
    connection.execute("UPDATE records.listings SET adjustment = 'guessed'")
    connection.commit()
    outcomes = [run(runner), run(runner)]
    assert [result.success for result in outcomes] == [False, False]
    assert [[key for key, passed in said(result)[1].items() if not passed] for result in outcomes][1]
    connection.execute("UPDATE records.listings SET adjustment = 'split'")
    connection.commit()
    assert run(runner).success


def test_a_build_that_was_killed_is_run_again(runner: DbtRunnerResource, database_url: str) -> None:
    with die_at("cleaned.built"):
        assert not run(runner).success
    known = build_ids(database_url)
    assert run(runner).success
    assert build_ids(database_url) != known


def test_months_that_were_not_built_yet_are_and_only_they(runner: DbtRunnerResource, database_url: str) -> None:
    project = assets_of(runner, partitioned=True)

    def months(first: str, last: str) -> list[Any]:
        names = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
        tags = dict(zip(names, (first, last), strict=True))
        assert dg.materialize([project], resources={"dbt": runner}, tags=tags).success
        return build_ids(database_url)

    january = months("2024-01-01", "2024-01-01")
    assert months("2024-01-01", "2024-01-01") == january
    both = months("2024-01-01", "2024-02-01")
    assert both != january
    assert rows(database_url, "SELECT count(*) FROM cleaned.daily_bars") == [(40,)]
    assert months("2024-02-01", "2024-02-01") == months("2024-01-01", "2024-02-01") == both


BUILD = Build(
    layers=("cleaned", "marts", "staging"),
    whole={layer: frozenset({layer}) for layer in ("cleaned", "marts", "staging")},
    relations=(
        "cleaned.daily_bars", "cleaned.gaps", "cleaned.growth_factors", "cleaned.news",
        "cleaned.observations_by_session", "cleaned.session_bars", "marts.fct_coverage", "marts.fct_news",
        "marts.fct_results", "marts.fct_statistics", "staging.stg_records__candles", "staging.stg_records__listings",
    ),
    windowed=("cleaned.daily_bars",),
    project="p",
    window=("2024-01-01", "2024-02-01"),
)  # fmt: skip
RESULTS = [
    Result({"info": {"ts": "2024-01-01T00:00:00Z"}, "data": {"node_info": {"unique_id": layer}}}, None)
    for layer in BUILD.layers
]


@pytest.fixture
def built(database_url: str, adbc: "Connection") -> Iterator[psycopg.Connection[Any]]:
    """A database whose newest build is known, with empty relations and one listing."""
    listing(adbc, 1, symbol="BTC")
    with psycopg.connect(database_url, autocommit=True) as owner:
        for relation in BUILD.relations:
            owner.execute(f"CREATE TABLE {relation} ()")
        owner.execute("TRUNCATE ops.stale, ops.changed_rows")
    with connect(database_url) as connection:
        BUILD.remember(connection, begin_build(connection, BUILD.layers), RESULTS)
        assert BUILD.recall(connection)
        yield connection


@pytest.mark.parametrize("changed", CHANGES)
def test_whatever_changes_what_dbt_reads_has_it_run(changed: str, built: psycopg.Connection[Any]) -> None:
    for statement in CHANGES[changed].split(";"):
        built.execute(statement.encode())
    assert BUILD.recall(built) is None


def test_a_row_that_is_written_as_it_was_is_no_change(built: psycopg.Connection[Any]) -> None:
    built.execute(WALLET.encode())
    built.execute("DELETE FROM ops.stale")
    built.execute("UPDATE trading.wallets SET code_hash = 'h'")
    assert BUILD.recall(built)
    built.execute("UPDATE trading.wallets SET state = 'halted'")
    assert BUILD.recall(built) is None


def test_marks_outside_of_the_window_are_none_of_a_windowed_table(built: psycopg.Connection[Any]) -> None:
    mark = "INSERT INTO ops.stale (relation, listing_id, days) VALUES (%s, 1, '[2024-03-01,2024-03-02)')"
    built.execute(mark, ["cleaned.daily_bars"])
    assert BUILD.recall(built)
    built.execute(mark, ["cleaned.daily_bars/factors"])
    assert BUILD.recall(built) is None


def test_a_build_that_another_one_overtook_is_not_remembered(built: psycopg.Connection[Any]) -> None:
    first = begin_build(built, BUILD.layers)
    begin_build(built, ["cleaned"])
    BUILD.remember(built, first, RESULTS)
    assert BUILD.recall(built) is None


def test_a_layer_of_which_a_test_did_not_run_is_not_remembered(built: psycopg.Connection[Any]) -> None:
    BUILD.remember(built, begin_build(built, BUILD.layers), RESULTS[1:])
    assert BUILD.recall(built) is None


def test_views_of_staging_that_have_tests_are_marked_by_what_they_read() -> None:
    """`staging` is a layer of its own: nothing but these marks tells that its tests have to run again."""
    nodes = json.loads(ensure_manifest(dbt_folder()).read_text())["nodes"].values()
    tested = {node["attached_node"] for node in nodes if node["resource_type"] == "test"}
    views = {relation_name(node) for node in nodes if node["unique_id"] in tested and node["schema"] == "staging"}
    assert views == {relation for relation in BUILD.relations if relation.startswith("staging.")}
