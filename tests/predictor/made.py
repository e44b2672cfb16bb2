"""Bars and rates made from a seed, as arrays and as stored tables."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import psycopg
import pyarrow as pa

from strades_pipelines.database.bulk import load
from strades_pipelines.database.connection import adbc_connect, connect
from strades_pipelines.database.roles import DBT_ROLE
from strades_pipelines.predictor.families.published import SERIES
from strades_pipelines.predictor.feature_inputs import Articles, Bars, Series
from strades_pipelines.predictor.feature_inputs import Market as Inputs
from strades_pipelines.resources.dbt_project import ensure_manifest
from tests.dbt_project.building import dbt_folder
from tests.dbt_project.seeding import listing, rates

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

FIRST = date(2020, 1, 1)
NOW = datetime(2030, 1, 1, tzinfo=UTC)


def made_bars(count: int, *, seed: int = 1) -> Bars:
    """A random walk of `count` daily sessions, each known at the midnight that ends it, with a dividend every 30."""
    random = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(random.normal(0, 0.02, count)))
    day = np.datetime64(FIRST) + np.arange(count)
    return Bars(
        session_date=day,
        knowledge_time=(day + 1).astype("datetime64[us]"),
        open=close * (1 + random.uniform(-0.01, 0.01, count)),
        high=close * (1 + random.uniform(0.01, 0.02, count)),
        low=close * (1 - random.uniform(0.01, 0.02, count)),
        close=close,
        volume=random.uniform(1e3, 1e4, count),
        factor=np.power(1.005, (np.arange(count) // 30).astype(np.float64)),
    )


def made_rates(count: int, *, seed: int = 2) -> Series:
    """`count` daily rates from a week before the first session, each known at 15:00 UTC of its day."""
    day = np.datetime64(FIRST - timedelta(days=7)) + np.arange(count)
    value = 1.1 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.005, count)))
    at_three = (day.astype("datetime64[h]") + 15).astype("datetime64[us]")
    return Series(day.astype("datetime64[us]"), at_three, value)


def made_articles(count: int, listings: int, *, seed: int = 3) -> Articles:
    """Two articles a day, each about one listing or none, with up to three good and three bad words."""
    random = np.random.default_rng(seed)
    minutes = np.sort(random.integers(0, count * 1440, 2 * count))
    about = random.integers(0, listings + 1, 2 * count)
    times = np.datetime64(FIRST - timedelta(days=7)).astype("datetime64[us]") + minutes.astype("timedelta64[m]")
    good, bad = random.integers(0, 4, (2, 2 * count))
    return Articles(times, good, bad, {number: about == number for number in range(1, listings + 1)})


def made_inputs(count: int, *, listings: int = 3) -> Inputs:
    """A market in memory: every listing at one venue, every series, and articles."""
    return Inputs(
        {number: made_bars(count, seed=number) for number in range(1, listings + 1)},
        dict.fromkeys(range(1, listings + 1), "v"),
        {name: made_rates(count, seed=10 + place) for place, name in enumerate(SERIES)},
        made_articles(count, listings),
    )


def make_cleaned(url: str) -> None:
    """The table of daily bars as its contract and its hook have it, without running dbt."""
    node = json.loads(ensure_manifest(dbt_folder()).read_text())["nodes"]["model.strades.daily_bars"]
    columns = ", ".join(f'"{name}" {column["data_type"]}' for name, column in node["columns"].items())
    with connect(url, role=DBT_ROLE) as connection:
        connection.execute(f"CREATE TABLE cleaned.daily_bars ({columns}, PRIMARY KEY (listing_id, session_date))")
        connection.execute("SELECT predictions.watch_daily_bars()")


def store_bars(url: str, listing_id: int, bars: Bars) -> None:
    """Put bars into the table of daily bars; those that are there are replaced where they differ."""
    frame = pd.DataFrame(
        {name: getattr(bars, name) for name in ("session_date", "open", "high", "low", "close", "volume")}
    )
    frame["session_date"] = frame["session_date"].dt.date
    frame = frame.assign(listing_id=listing_id, venue="v", symbol=str(listing_id), currency="USD")
    frame = frame.assign(total_return_factor=bars.factor, is_half_day=False, fetch_id=1)
    frame["knowledge_time"] = pd.Series(bars.knowledge_time).dt.tz_localize("UTC")
    opened = pd.to_datetime(frame["session_date"], utc=True)
    frame = frame.assign(open_time=opened, close_time=opened + timedelta(days=1))
    rows = pa.Table.from_pandas(frame, preserve_index=False)
    with adbc_connect(url, role=DBT_ROLE) as connection, connection.cursor() as cursor:
        load(cursor, "cleaned.daily_bars", rows, key=("listing_id", "session_date"), now=NOW)
        connection.commit()


@dataclass(frozen=True)
class Market:
    """A database with cleaned bars of some listings and the euro's rates."""

    url: str

    def rows(self, query: str, *parameters: object) -> list[tuple[object, ...]]:
        """The result of a query, in a connection of its own."""
        with psycopg.connect(self.url, options="-c timezone=UTC") as connection:
            return connection.execute(query.encode(), parameters).fetchall()

    def execute(self, statement: str, *parameters: object) -> None:
        """Change something behind the application's back."""
        with psycopg.connect(self.url) as connection:
            connection.execute(statement.encode(), parameters)


def make_market(url: str, adbc: "Connection", *, listings: int = 2, sessions: int = 420) -> Market:
    """A market of `listings` random walks from FIRST on."""
    make_cleaned(url)
    for number in range(1, listings + 1):
        listing(adbc, number, symbol=str(number))
        store_bars(url, number, made_bars(sessions, seed=number))
    made = made_rates(sessions)
    days = made.event_time.astype("datetime64[D]").tolist()
    rates(adbc, dict(zip(days, made.value.tolist(), strict=True)))
    return Market(url)
