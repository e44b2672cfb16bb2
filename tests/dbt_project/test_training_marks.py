"""Clean bars tell predictions which months' training sets hold them, however dbt makes their table."""

from datetime import date
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.dbt_project.building import BUILD, rows, run_dbt
from tests.dbt_project.seeding import bars, dividend, listing, sessions

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

pytestmark = pytest.mark.slow
BARS = (*BUILD, "--select", "+daily_bars", "--exclude", "test_type:data")
EVERYTHING = [(None, None)]


def marked(url: str) -> list[tuple[object, ...]]:
    """The marked stretches of first days of months, which are taken away."""
    query = "SELECT lower(days), upper(days) - 1 FROM (SELECT unnest(range_agg(days)) AS days FROM ops.stale"
    found = rows(url, f"{query} WHERE relation = 'predictions.models') AS marks ORDER BY 1")
    with psycopg.connect(url) as connection:
        connection.execute("DELETE FROM ops.stale WHERE relation = 'predictions.models'")
    return found


def test_new_and_changed_bars_mark_the_months_that_train_on_them_and_a_table_made_anew_all(
    database_url: str, adbc: "Connection"
) -> None:
    listing(adbc, 1, symbol="A", calendar="XNYS")
    spans = [span for _, span in sessions(adbc, "XNYS", 2024).items()]
    bars(adbc, 1, "1d", spans[:30])  # to 13 February
    run_dbt(database_url, BARS)
    assert marked(database_url) == EVERYTHING
    run_dbt(database_url, BARS)
    assert marked(database_url) == []
    bars(adbc, 1, "1d", spans[30:31])  # Valentine's day: March is the first month that knows it
    run_dbt(database_url, BARS)
    assert marked(database_url) == [(date(2024, 2, 15), date(2027, 2, 1))]
    dividend(adbc, 1, ex_date=date(2024, 1, 30), amount=1.0)
    run_dbt(database_url, BARS)
    assert marked(database_url) == [(date(2024, 1, 31), date(2027, 2, 1))]
    run_dbt(database_url, (*BARS, "--full-refresh"))
    assert marked(database_url) == EVERYTHING
