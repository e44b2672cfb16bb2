"""The benchmark of the run queue, short: limits of `dagster.yaml` hold, and retention keeps what runs made."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from benchmarks.retention import fill, retain
from benchmarks.run_queue import CHECKS, POOLS, RESULTS, TICK_SECONDS, one, simulate, simulated_instance
from strades_pipelines.defs.maintenance.retention import delete_expired
from strades_pipelines.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning")
RUNS = 40


def test_runs_wait_for_two_places_and_their_pool_and_leave_what_they_made(database_url: str, tmp_path: Path) -> None:
    with (
        simulated_instance(database_url, tmp_path) as instance,
        psycopg.connect(database_url, autocommit=True) as connection,
    ):
        found = simulate(instance, connection, RUNS, end=datetime.now(UTC))
        assert {run.status for run in instance.get_runs()} == {dg.DagsterRunStatus.SUCCESS}
        assert len(found.waits) == len(found.spans) == RUNS
        assert all(sum(begin <= at < end for begin, end in found.spans) <= 2 for at, _ in found.spans)
        by_pool = [
            sorted(at for at, own in zip(found.spans, found.pools, strict=True) if own == pool) for pool in POOLS
        ]
        neighbours = [pair for spans in by_pool for pair in pairwise(spans)]
        assert len(neighbours) == RUNS - len(POOLS)
        assert all(before[1] <= after[0] for before, after in neighbours)
        assert found.claimed == 0
        # Eight arrive with a quarter: the last of them waits for three others at each of two places.
        assert min(found.waits) >= 0
        assert max(found.waits) > 2 * TICK_SECONDS
        made = 2 * (RUNS + 1)  # of each run two assets, and one run was executed
        assert (one(connection, RESULTS), one(connection, CHECKS)) == (made, RUNS + 1)
        before = one(connection, "SELECT count(*) FROM event_logs")
        delete_expired(instance, Settings(), now=datetime.now(UTC) + timedelta(days=40))
        assert (one(connection, RESULTS), one(connection, CHECKS)) == (made, RUNS + 1)
        assert one(connection, "SELECT count(*) FROM event_logs") < before / 3


def test_retention_deletes_no_materialization_and_no_check_and_pages_still_answer(
    database_url: str, tmp_path: Path
) -> None:
    """The benchmark of a million rows, short."""
    with (
        simulated_instance(database_url, tmp_path) as instance,
        psycopg.connect(database_url, autocommit=True) as connection,
    ):
        assert fill(instance, connection, 8_000) >= 8_000 - 40
        found = retain(instance, connection)
    assert found.events[1] < found.events[0] / 2
    assert found.results[0] == found.results[1] > 600
    assert found.checks[0] == found.checks[1] > 300
    assert found.kept[0] == found.kept[1]
    assert found.sizes[2] < 0.7 * found.sizes[0]
    before, after = found.answers
    assert before["history of an asset"][0] == after["history of an asset"][0] == 100
    assert before["page of runs"][0] == after["page of runs"][0] == 25
