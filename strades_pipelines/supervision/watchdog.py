"""Whether schedules, sensors and paper wallets keep up: read from the database by plain SQL, without Dagster.

Pure functions decide; `read_ticks` and `read_wallets` read. All times are UTC.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from strades_pipelines.datamanager.cron import ticks
from strades_pipelines.datamanager.intervals import interval_seconds
from strades_pipelines.datamanager.schedule_overrides import (
    ScheduleOverride,
    newest_overrides,
    read_schedule_overrides,
)

# A sensor's tick comes after its interval and the evaluation of the one before it, which a loaded machine stretches.
TICK_ALLOWANCE = timedelta(minutes=3)
# Bars are asked for by a schedule, then parsed: some intervals late is normal.
WALLET_ALLOWANCE = timedelta(minutes=30)
# Over a long weekend a market that closes brings no bar.
CLOSED_MARKET_ALLOWANCE = timedelta(days=5)
CONNECT_SECONDS = 5
INSTIGATORS = """
    SELECT i.instigator_body, i.instigator_type, max(t."timestamp")
    FROM instigators AS i LEFT JOIN job_ticks AS t
        ON t.selector_id = i.selector_id AND t."timestamp" > now() AT TIME ZONE 'UTC' - interval '32 days'
    WHERE i.status IN ('RUNNING', 'DECLARED_IN_CODE', 'AUTOMATICALLY_RUNNING')
    GROUP BY i.id ORDER BY i.id
"""
WALLETS = """
    SELECT split_part(w.wallet, '@', 1), w."interval", bool_and(l.calendar = '24/7'), max(newest.open_time), w.opened_at
    FROM trading.wallets AS w
    INNER JOIN records.listings AS l ON l.venue || ':' || l.symbol = any(w.instruments)
    LEFT JOIN LATERAL (
        SELECT max(c.open_time) AS open_time FROM records.candles AS c
        WHERE c.listing_id = l.listing_id AND c."interval" = w."interval"
    ) AS newest ON true
    WHERE w.mode <> 'replay'
    GROUP BY w.wallet, w."interval", w.opened_at ORDER BY w.wallet
"""


@dataclass(frozen=True)
class Ticker:
    """A schedule or sensor that is switched on.

    Args:
        cron: of a schedule; None for a sensor.
        every: of a sensor: its least interval.
        since: when it was switched on; None if not known.
        last_tick: None for never.
    """

    name: str
    cron: str | None
    every: timedelta
    since: datetime | None
    last_tick: datetime | None


@dataclass(frozen=True)
class WalletFeed:
    """The newest bar that a wallet that trades can see."""

    name: str
    interval: timedelta
    always_open: bool
    newest_bar: datetime | None
    opened_at: datetime


@dataclass(frozen=True)
class Lag:
    """Something that is behind: what, by how much in words, and in which part of the figures it was read."""

    what: str
    detail: str
    part: str = "work"

    def __str__(self) -> str:
        return f"{self.what} {self.detail}"


def late_tickers(
    tickers: Iterable[Ticker], now: datetime, *, since: datetime | None = None, allowance: timedelta = TICK_ALLOWANCE
) -> list[Lag]:
    """The schedules and sensors whose tick did not come when one was due.

    Args:
        since: ticks that were due earlier are not missed: nothing was served then.
    """
    lags = []
    for ticker in tickers:
        due = _due_tick(ticker, now, since, allowance)
        if due is not None and (ticker.last_tick is None or ticker.last_tick < due):
            last = "never ticked" if ticker.last_tick is None else f"last ticked {ago(now - ticker.last_tick)}"
            lags.append(Lag(ticker.name, f"{last}, was due {ago(now - due)}"))
    return lags


def _due_tick(ticker: Ticker, now: datetime, since: datetime | None, allowance: timedelta) -> datetime | None:
    """The newest instant before which a tick must not be the last one; None where none was due yet."""
    begun = max((time for time in (ticker.since, since) if time is not None), default=None)
    latest = now - allowance
    due: datetime | None
    if ticker.cron is None:
        due = latest - ticker.every
        return due if begun is None or begun <= due else None
    for days in (1, 32):  # nearly all fire daily; to walk a month of minutes takes long
        start = latest - timedelta(days=days) if begun is None else max(begun, latest - timedelta(days=days))
        # Dagster's tick of a schedule carries the time that was planned.
        due = max(ticks(ticker.cron, start, latest), default=None)
        if due is not None or start == begun:
            return due
    return None


def late_wallets(feeds: Iterable[WalletFeed], now: datetime) -> list[Lag]:
    """The wallets whose newest bar is older than their interval and an allowance."""
    lags = []
    for feed in feeds:
        allowance = WALLET_ALLOWANCE if feed.always_open else CLOSED_MARKET_ALLOWANCE
        reference = feed.newest_bar + feed.interval if feed.newest_bar else feed.opened_at
        behind = now - reference
        if behind > max(allowance, 3 * feed.interval):
            lags.append(Lag(f"wallet {feed.name}", f"{behind // feed.interval} intervals behind"))
    return lags


def ago(age: timedelta) -> str:
    """An age in its largest fitting unit."""
    seconds = max(int(age.total_seconds()), 0)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def newest_tick(tickers: Iterable[Ticker]) -> datetime | None:
    """The newest tick of all."""
    return max((ticker.last_tick for ticker in tickers if ticker.last_tick is not None), default=None)


def read_tickers(dagster_url: str, world_url: str) -> list[Ticker]:
    """The schedules and sensors that are switched on, from Dagster's own tables, with the times that count.

    Raises:
        psycopg.Error: when the database does not answer, or has no tables of Dagster.
    """
    with open_read_only(dagster_url) as connection:
        tickers = [ticker(*row) for row in connection.execute(INSTIGATORS)]
    with open_read_only(world_url) as connection:
        return moved_tickers(tickers, read_schedule_overrides(connection))


def moved_tickers(tickers: Iterable[Ticker], overrides: Iterable[ScheduleOverride]) -> list[Ticker]:
    """Tickers with the times of their newest override, counted from when it was asked for.

    Dagster's table keeps the times that a schedule had when it was switched on.
    """
    newest, found = newest_overrides(overrides), []
    for one in tickers:
        override = None if one.cron is None else newest.get(one.name)
        if override is not None:
            since = max(override.requested_at, one.since or override.requested_at)
            one = replace(one, cron=override.cron, since=since)
        found.append(one)
    return found


def read_wallets(world_url: str) -> list[WalletFeed]:
    """The wallets that trade. Raises psycopg.Error as `read_tickers` does."""
    with open_read_only(world_url) as connection:
        return [
            WalletFeed(name, timedelta(seconds=interval_seconds(interval)), always_open, newest, opened)
            for name, interval, always_open, newest, opened in connection.execute(WALLETS)
        ]


def open_read_only(url: str) -> "psycopg.Connection[Any]":
    """A connection that gives up soon, changes nothing, and shows times in UTC."""
    options = "-c statement_timeout=10000 -c default_transaction_read_only=on -c timezone=UTC"
    return psycopg.connect(url, connect_timeout=CONNECT_SECONDS, options=options, autocommit=True)


def ticker(body: str, kind: str, last_tick: datetime | None) -> Ticker:
    """A row of `INSTIGATORS`: Dagster's serialized `InstigatorState`, its type, and its newest tick (naive UTC)."""
    state = json.loads(body)
    data = state.get("job_specific_data") or {}
    origin = state.get("origin") or {}
    name = str(origin.get("job_name") or origin.get("instigator_name"))
    started = data.get("start_timestamp") if kind == "SCHEDULE" else data.get("last_sensor_start_timestamp")
    return Ticker(
        name,
        _first_cron(data.get("cron_schedule")) if kind == "SCHEDULE" else None,
        timedelta(seconds=data.get("min_interval") or 30),
        datetime.fromtimestamp(started, UTC) if started else None,
        last_tick.replace(tzinfo=UTC) if last_tick else None,
    )


def _first_cron(cron: str | Sequence[str] | None) -> str | None:
    return cron if cron is None or isinstance(cron, str) else cron[0]
