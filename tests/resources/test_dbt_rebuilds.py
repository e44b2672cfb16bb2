"""From a build of everything that is known: what has dbt run again, and what not."""

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg
import psycopg
import pytest

from strades_pipelines.database.connection import adbc_connect
from strades_pipelines.resources import dbt_project
from strades_pipelines.resources.dbt import DbtRunnerResource
from strades_pipelines.resources.dbt_project import database_name
from tests.conftest import cloned
from tests.dbt_project.building import copy_parsed, dbt_folder, edited_project, rows
from tests.dbt_project.seeding import candles
from tests.resources.test_dbt_builds import build_ids, run, said, store_coin

if TYPE_CHECKING:
    from pathlib import Path

    from adbc_driver_manager.dbapi import Connection

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def template(template: str) -> Iterator[str]:
    """The name of a database with 40 days of a coin and a known build, which each test clones."""
    with cloned(template) as url:
        with adbc_connect(url) as adbc:
            store_coin(adbc)
        assert run(runner_of(url)).success
        yield database_name(url)


def runner_of(url: str) -> DbtRunnerResource:
    """dbt on a database."""
    return DbtRunnerResource(url=url, target=str(dbt_folder()))


@pytest.fixture
def runner(database_url: str) -> DbtRunnerResource:
    """dbt on a database of which the newest build is known."""
    return runner_of(database_url)


def test_a_new_bar_has_dbt_run(runner: DbtRunnerResource, database_url: str, adbc: "Connection") -> None:
    known = build_ids(database_url)
    candles(adbc, 1, {date(2024, 3, 1): 11.0})
    counted, _ = said(run(runner))
    assert build_ids(database_url) != known
    assert counted[dg.AssetKey(["cleaned", "daily_bars"])].value == 41


def test_another_project_has_dbt_run(
    runner: DbtRunnerResource, database_url: str, tmp_path: "Path", monkeypatch: pytest.MonkeyPatch
) -> None:
    known = build_ids(database_url)
    copy_parsed(tmp_path)
    other = DbtRunnerResource(url=database_url, target=str(tmp_path))
    run(other)
    assert build_ids(database_url) == known
    monkeypatch.setattr(dbt_project, "PROJECT_DIR", edited_project(tmp_path / "edited"))
    run(other)
    assert build_ids(database_url) != known


def test_a_table_that_is_gone_is_made_again(
    runner: DbtRunnerResource, database_url: str, connection: psycopg.Connection[Any]
) -> None:
    connection.execute("SET ROLE strades_dbt; DROP TABLE marts.fct_coverage; RESET ROLE")
    connection.commit()
    run(runner)
    assert rows(database_url, "SELECT count(*) FROM marts.fct_coverage") == [(2,)]


def test_a_build_of_a_part_leaves_the_whole_unknown(runner: DbtRunnerResource, database_url: str) -> None:
    prices = dg.AssetSelection.assets(["marts", "fct_prices"])
    of_part = [run(runner, selection=prices) and build_ids(database_url) for _ in range(2)]
    assert of_part[0] != of_part[1]  # of a part it is not known whether its tests would pass: dbt runs
    run(runner)
    assert build_ids(database_url) != of_part[1]


def test_layers_built_alone_and_together_are_known_alike(runner: DbtRunnerResource, database_url: str) -> None:
    known = build_ids(database_url)
    for layer in ("cleaned", "staging"):
        assert run(runner, selection=dg.AssetSelection.groups(layer)).success
    assert build_ids(database_url) == known


def test_what_one_layer_took_in_is_new_to_the_other(
    runner: DbtRunnerResource, database_url: str, adbc: "Connection"
) -> None:
    candles(adbc, 1, {date(2024, 3, 1): 11.0})
    query = "SELECT build_id FROM ops.dbt_builds WHERE layer = 'staging'"
    known = rows(database_url, query)
    assert run(runner, selection=dg.AssetSelection.groups("cleaned")).success
    assert rows(database_url, query) == known
    assert run(runner).success
    assert rows(database_url, query) != known
