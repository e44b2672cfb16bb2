"""A trading wallet's day beside what the same code makes of it again: decision by decision, fill by fill, with causes.

Decisions are replayed with the fills that were recorded, fills with the orders that were sent, so that one difference
is not the cause of all that follow. Where the replay of what is known now differs, the replay of what was stored then
says whether the data is why.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from strades_pipelines.brokerage.decision_parity import DecisionParity
from strades_pipelines.brokerage.fill_parity import fill_parity
from strades_pipelines.brokerage.parity_causes import Difference
from strades_pipelines.brokerage.portfolio import load_wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.sleeves import UNATTRIBUTED
from strades_pipelines.brokerage.trading_rows import insert
from strades_pipelines.database.crash import crash_point

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

DAY = timedelta(days=1)
MOST_DAYS = 7  # that are caught up with at once
FIRST_DAY = """
    SELECT coalesce(
        (SELECT max(day) + 1 FROM results.daily_parity AS p WHERE p.wallet = w.wallet),
        CAST(w.opened_at AT TIME ZONE 'UTC' AS date)
    ) FROM trading.wallets AS w WHERE w.wallet = %s
"""
LAST_CODE = "SELECT code_hash FROM results.daily_parity WHERE wallet = %s AND day < %s ORDER BY day DESC LIMIT 1"


@dataclass(frozen=True)
class StrategyParity:
    """The same of one strategy of several."""

    sleeve: str
    decisions: int
    decisions_agreeing: int
    fills: int
    fills_agreeing: int


@dataclass(frozen=True)
class DayParity:
    """A wallet's UTC day: how many decisions and fills were compared, how many agree, and the differences.

    `strategies` are those that share the wallet, if they do.
    """

    day: date
    decisions: int
    decisions_agreeing: int
    fills: int
    fills_agreeing: int
    code_hash: str
    differences: Sequence[Difference]
    strategies: Sequence[StrategyParity] = ()


def write_daily_parity(connection: Connection, adbc: "AdbcConnection", name: str, *, now: datetime) -> list[DayParity]:
    """Compare the days of a wallet that have ended and were not compared yet, at most a week of them. Commits each.

    A day that was compared stays as it is: a correction that comes later is not looked for.
    """
    row = connection.execute(FIRST_DAY, [name]).fetchone()
    today = now.astimezone(UTC).date()
    first = max(row[0] if row else today, today - MOST_DAYS * DAY)
    days = []
    for number in range((today - first).days):
        found = compare_day(connection, adbc, name, first + number * DAY)
        _write(connection, name, found, now)
        days.append(found)
    return days


def compare_day(connection: Connection, adbc: "AdbcConnection", name: str, day: date) -> DayParity:
    """Replay a UTC day of a wallet and compare. Writes nothing."""
    wallet, start = load_wallet(connection, name), datetime.combine(day, time(), UTC)
    code, last = wallet.code(), connection.execute(LAST_CODE, [name, day]).fetchone()
    is_other_code = last is not None and last[0] != code
    fills = fill_parity(connection, adbc, wallet, start)
    differences: list[Difference] = []
    strategies: list[StrategyParity] = []
    for view in wallet.strategy_views():
        decisions = DecisionParity(connection, adbc, view, start, is_other_code=is_other_code)
        own, name = decisions.differences(), view.sleeve_name or UNATTRIBUTED
        differences += own
        counts = decisions.compared, decisions.agreeing(own), fills.compared[name], fills.agreeing[name]
        strategies.append(StrategyParity(name, *counts))
    connection.rollback()
    return DayParity(
        day,
        sum(one.decisions for one in strategies),
        sum(one.decisions_agreeing for one in strategies),
        fills.compared.total(),
        fills.agreeing.total(),
        code,
        [*differences, *fills.differences],
        strategies if wallet.sleeves else (),
    )


def _write(connection: Connection, name: str, found: DayParity, now: datetime) -> None:
    row = {"wallet": name, **asdict(found), "recorded_at": now}
    del row["differences"], row["strategies"]
    # Another process may have compared the day first: its differences stand, ours would double them.
    if insert(connection, "results.daily_parity", row):
        for strategy in found.strategies:
            insert(
                connection,
                "results.daily_strategy_parity",
                {"wallet": name, "day": found.day, **asdict(strategy)},
            )
        for one in found.differences:
            insert(connection, "results.parity_differences", {"wallet": name, "day": found.day, **asdict(one)})
    crash_point("results.daily_parity_written")
    connection.commit()
