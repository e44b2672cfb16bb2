"""No look-ahead in the clean bars: what became known after t, made absurd or taken away, changes no row known by t.

The query of the table is dbt's own, over records that are poisoned and healed in a transaction. Venues may come late,
but a session's first bar is known before the next one's, as every protocol has it: known at its close.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest

from tests.dbt_project.building import BUILD, dbt_folder, run_dbt
from tests.dbt_project.seeding import listing, load_rows, sessions

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

COUNT = 60  # sessions
VENUES = (1, 2, 3)
SOON, LATE = (timedelta(0), timedelta(0), timedelta(hours=2)), timedelta(days=5)  # after the close
POISON = (
    "UPDATE records.candles SET open = 1e12, high = 1e12, low = 1e12, close = 1e12, volume = 1e12"
    " WHERE knowledge_time > %s",
    "UPDATE records.corporate_actions SET amount = amount * 1e12, ratio = ratio * 1e12 WHERE knowledge_time > %s",
)
CHAIN = {
    "session_bars": "TABLE", "price_conflicts": "TABLE", "market_bars": "VIEW", "growth_factors": "TABLE",
    "daily_bars": "TABLE",
}  # fmt: skip
CUT = tuple(f"DELETE FROM records.{name} WHERE knowledge_time > %s" for name in ("candles", "corporate_actions"))
NOT_THE_FIRST = """
    SELECT count(*) FROM cleaned.daily_bars AS bar WHERE knowledge_time <> (
        SELECT min(one.knowledge_time) FROM cleaned.session_bars AS one
        WHERE one.market_id = bar.listing_id AND one.session_date = bar.session_date
    )
"""


@cache
def chain() -> str:
    """The SQL of the tables from the records to the clean bars, as dbt made it for a first build, made temporary."""
    everything = "listing_id, cast('-infinity' AS date) AS first_day, cast('infinity' AS date) AS end_day"
    statements = [f"CREATE TEMPORARY TABLE work AS SELECT {everything} FROM records.listings"]
    for name, kind in CHAIN.items():
        made = (dbt_folder() / "compiled" / "strades" / "models" / "cleaned" / f"{name}.sql").read_text()
        made = re.sub(rf'"\w+"\."cleaned"\."({"|".join(CHAIN)})"', r"pg_temp.\1", made.strip().rstrip(";"))
        statements.append(f"CREATE TEMPORARY {kind} {name} AS {made}")
    return ";\n".join(statements)


@pytest.fixture
def market(database_url: str, adbc: "Connection") -> Sequence[datetime]:
    """A stock of three venues that disagree, come late or say nothing, and dividends known late; returns the closes."""
    random = np.random.default_rng(4)
    spans = list(sessions(adbc, "XNYS", 2024).items())[:COUNT]
    for number, venue in zip(VENUES, ("yahoo", "pages", "w"), strict=True):
        listing(adbc, number, symbol="A", calendar="XNYS", venue=venue)
        bars = [_bar(number, *span, random) for _, span in spans if number == 2 or random.random() > 0.15]
        load_rows(adbc, "records.candles", bars, ["listing_id", "interval", "open_time"])
    actions = [
        {
            "listing_id": 1, "ex_date": day, "action": "dividend", "amount": 2.0, "currency": "USD",
            "knowledge_time": opened + timedelta(days=int(random.integers(0, 4))), "knowledge_basis": "assumed",
            "fetch_id": 1,
        }
        for day, (opened, _) in spans[5::8]
    ]  # fmt: skip
    load_rows(adbc, "records.corporate_actions", actions, ["listing_id", "ex_date", "action"])
    run_dbt(database_url, (*BUILD, "--select", "+daily_bars", "--exclude", "resource_type:test"))
    return [close for _, (_, close) in spans]


def _bar(number: int, opened: datetime, closed: datetime, random: np.random.Generator) -> dict[str, Any]:
    """A price near 100, now and then 1 % or a hundred times off."""
    close = (100.0 + random.normal()) * random.choice([1.0, 1.0, 1.01, 100.0], p=[0.6, 0.2, 0.1, 0.1])
    known = closed + (LATE if number == 3 and random.random() < 0.3 else SOON[int(random.integers(len(SOON)))])
    return {
        "listing_id": number, "interval": "1d", "open_time": opened, "close_time": closed, "open": close * 0.999,
        "high": close * 1.01, "low": close * 0.99, "close": close, "volume": 1000.0, "knowledge_time": known,
        "knowledge_basis": "assumed", "fetch_id": number,
    }  # fmt: skip


def first_difference(url: str, times: Sequence[datetime], made: str) -> datetime | None:
    """The first time up to which the table is another with all that was known later made absurd, or taken away."""
    with psycopg.connect(url) as connection:
        connection.execute("SET client_min_messages = warning")
        whole = _clean_bars(connection, made)
        for n, time in enumerate(times):
            for statement in CUT if n % 2 else POISON:
                connection.execute(statement.encode(), [time])
            found = {_hashable(row) for row, known in _clean_bars(connection, made) if known <= time}
            if found != {_hashable(row) for row, known in whole if known <= time}:
                return time
    return None


def _clean_bars(connection: psycopg.Connection[Any], made: str) -> list[tuple[Sequence[Any], datetime]]:
    """The clean bars of the records as this transaction has them, and when each was known; ends the transaction."""
    connection.execute(made.encode())
    rows = connection.execute("SELECT bar.*, bar.knowledge_time FROM pg_temp.daily_bars AS bar").fetchall()
    connection.rollback()
    return [(row[:-1], row[-1]) for row in rows]


def _hashable(row: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(tuple(cell) if isinstance(cell, list) else cell for cell in row)


def times(closes: Sequence[datetime]) -> list[datetime]:
    """Times drawn at random, and every close."""
    hours = np.random.default_rng(5).integers(0, int((closes[-1] - closes[0]) / timedelta(hours=1)), 40)
    return [closes[0] + timedelta(hours=int(hour)) for hour in hours] + list(closes)


def test_1_and_2_no_clean_bar_changes_with_what_becomes_known_later(
    market: Sequence[datetime], database_url: str
) -> None:
    assert first_difference(database_url, times(market), chain()) is None
    with psycopg.connect(database_url) as connection:
        several = (
            "SELECT count(*) FILTER (WHERE replaced_cells IS NOT NULL), count(*) FILTER (WHERE venue <> quoted_venue)"
        )
        replaced, others = connection.execute(f"{several} FROM cleaned.daily_bars").fetchall()[0]
        late = connection.execute("SELECT count(*) FROM cleaned.session_bars WHERE is_late").fetchall()[0][0]
        assert connection.execute(NOT_THE_FIRST).fetchall() == [(0,)]
    assert min(replaced, others, late) > 5
    for leak in (
        ("lag(bars.close, 1)", "lead(bars.close, 2)"),  # a bar that comes after
        ("where is_late is not true", ""),  # the best venue of all that ever said something
        ("and bars.knowledge_time >= around.knowledge_time", ""),  # ignored knowledge_time
    ):
        assert chain().count(leak[0]) == 1
        assert first_difference(database_url, times(market), chain().replace(*leak)), leak
