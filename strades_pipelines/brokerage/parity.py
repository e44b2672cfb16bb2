"""Compare the fills of a replayed wallet with those of `strades backtest` over the same bars, run as a command."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from strades_pipelines.brokerage.feed import StoredFeed, read_feed
from strades_pipelines.brokerage.prices import Connection, find_listings
from strades_pipelines.brokerage.wallets import WalletTemplate
from strades_pipelines.market.bars_and_fills import stamp
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.ledger_chain import plain
from strades_pipelines.market.limits import LIMITS
from strades_pipelines.market.rounding import exact, to_ticks
from strades_pipelines.strategy.events import BAR

if TYPE_CHECKING:
    import pandas as pd
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

ALWAYS_OPEN = "24/7"
SECONDS = 120
FEE_UNIT = Decimal("1e-8")
# Instant, instrument, side, quantity, price, fee: two fills with the same key are equal.
FillKey = tuple[str, str, str, Decimal, Decimal, Decimal]
FILLS = """
    SELECT f.filled_at, l.venue || ':' || l.symbol, f.side, f.quantity, f.price, f.fee
    FROM trading.fills AS f INNER JOIN records.listings AS l USING (listing_id) WHERE f.wallet = %s
"""


@dataclass(frozen=True)
class BacktestInputs:
    """A replayed wallet, and the inputs with which `strades backtest` should reproduce its fills."""

    wallet: str
    template: WalletTemplate
    start: datetime
    listings: Sequence[Listing]
    calendar: str | None
    frames: "dict[str, pd.DataFrame]"


@dataclass(frozen=True)
class Parity:
    """The fill counts of replay and backtest, and the fills that only one of them has."""

    replay_fills: int
    backtest_fills: int
    only_replay: Sequence[FillKey]
    only_backtest: Sequence[FillKey]

    @property
    def detail(self) -> str:
        """The first fill that only one of them has, as text."""
        for whose, fills in (("replay", self.only_replay), ("backtest", self.only_backtest)):
            if fills:
                return f"only the {whose} has {' '.join(str(part) for part in fills[0])}"
        return "the same fills"


def is_comparable(template: WalletTemplate, listings: Sequence[Listing]) -> bool:
    """Whether the command can reproduce a wallet: it takes bars only, and one lot and tick size for all instruments.

    It has no sessions, so a wallet that trades in open markets only is not comparable. Nor is one on bars of trades.
    """
    takes_bars_alone = not (template.new_strategy().models or template.limits.open_market_only or template.every)
    return takes_bars_alone and len({(listing.lot, listing.tick) for listing in listings}) == 1


def read_backtest_inputs(
    adbc: "AdbcConnection", template: WalletTemplate, wallet: str, *, start: datetime, end: datetime
) -> BacktestInputs | None:
    """The bars that a replay processed, as frames for export; None if the command cannot reproduce the wallet."""
    try:
        with adbc.cursor() as cursor:
            listings = find_listings(cursor, template.instruments)
            calendars = _calendars(cursor, listings) if template.interval == "1d" else {ALWAYS_OPEN}
            if len(calendars) != 1 or not is_comparable(template, listings):
                return None
            lookback = template.new_strategy().lookback
            feed = read_feed(cursor, listings, interval=template.interval, opened_at=start, end=end, lookback=lookback)
            [calendar] = calendars
            dates = None if calendar == ALWAYS_OPEN else _session_dates(cursor, calendar)
    finally:
        adbc.rollback()
    # Events of one instant are ordered by listing id in a replay, by the order of the options in the command.
    order = sorted(range(len(listings)), key=lambda i: listings[i].listing_id)
    frames = {listings[i].name: _frame(feed, i, dates) for i in order}
    frames = {name: frame for name, frame in frames.items() if len(frame)}
    return BacktestInputs(wallet, template, start, listings, None if dates is None else calendar, frames)


def _calendars(cursor: Any, listings: Sequence[Listing]) -> set[str]:
    ids = ", ".join(str(listing.listing_id) for listing in listings)
    cursor.execute(f"SELECT DISTINCT calendar FROM records.listings WHERE listing_id IN ({ids})")
    return {calendar for (calendar,) in cursor.fetchall()}


def _session_dates(cursor: Any, calendar: str) -> "pd.Series[Any]":
    import pandas as pd

    cursor.execute("SELECT open_time, session_date FROM records.sessions WHERE calendar = $1", [calendar])
    rows = cursor.fetchall()
    return pd.Series([day for _, day in rows], index=pd.DatetimeIndex([at for at, _ in rows], tz="UTC"), dtype=object)


def _frame(feed: StoredFeed, i: int, dates: "pd.Series[Any] | None") -> "pd.DataFrame":
    """A listing's bars as `strades backtest` reads them: `ts_utc`, open, high, low, close, volume."""
    import pandas as pd

    columns = feed.columns
    own = (columns.kind == BAR) & (columns.i == i)
    opened = pd.DatetimeIndex(columns.more[own].astype("M8[us]"), tz="UTC")
    time = opened if dates is None else pd.DatetimeIndex(dates.reindex(opened).to_list(), tz="UTC")
    numbers = {"open": columns.a, "high": columns.b, "low": columns.c, "close": columns.d, "volume": columns.e}
    frame = pd.DataFrame({"ts_utc": time.as_unit("ns")} | {name: array[own] for name, array in numbers.items()})
    return frame.assign(volume=np.nan_to_num(frame["volume"]))


def backtest(inputs: BacktestInputs, folder: Path) -> list[FillKey]:
    """The fills of `strades backtest` over the frames, exported as parquet to `folder`.

    Raises:
        RuntimeError: the command failed; with the last line of its output.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    template, arguments = inputs.template, []
    for number, (name, frame) in enumerate(inputs.frames.items()):
        path = folder / f"{number}.parquet"
        table = pa.Table.from_pandas(frame, preserve_index=False)
        pq.write_table(table.set_column(0, "ts_utc", table["ts_utc"].cast(pa.timestamp("us", "UTC"))), path)
        arguments += ["--bars", f"{name}={path}"]
    for name, value in template.new_strategy().parameters.items():
        arguments += ["--param", f"{name}={value}"]
    if inputs.calendar:
        arguments += ["--calendar", inputs.calendar]
    arguments += ["--cash", plain(template.cash), "--fee", f"percent:{plain(template.fee_rate * 100)}"]
    arguments += ["--lot", plain(inputs.listings[0].lot), "--tick", plain(inputs.listings[0].tick)]
    arguments += [*_limit_arguments(template), "--long-only"]
    # `--no-ledger`: a comparison is no trial of the strategy.
    arguments += ["--decide-from", stamp(inputs.start), "--mode", "events", "--no-ledger", "--json"]
    command = [sys.executable, "-m", "strades_pipelines.cli", "backtest", template.strategy, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode:
        raise RuntimeError(f"strades backtest: {(done.stderr.strip() or 'no output').splitlines()[-1]}")
    return [_key(fill, inputs.listings) for fill in json.loads(done.stdout)["fills"]]


def _limit_arguments(template: WalletTemplate) -> list[str]:
    """The limits that the engine enforces for the wallet, as options of the command."""
    arguments = []
    for limit in LIMITS:
        value = template.limits.in_force(limit)
        if limit.field is not None and value is not None:
            arguments += ["--limit", f"{limit.name}={value}"]
        elif limit.name == "restricted" and value:
            arguments += ["--limit", f"restricted={'+'.join(value)}"]
    return arguments


def _key(fill: dict[str, Any], listings: Sequence[Listing]) -> FillKey:
    listing = next(listing for listing in listings if listing.name == fill["instrument"])
    time = stamp(datetime.fromisoformat(fill["time"]))
    price, quantity = to_ticks(fill["price"], listing.tick), to_ticks(fill["quantity"], listing.lot)
    return time, fill["instrument"], fill["side"], quantity, price, exact(fill["fee"]).quantize(FEE_UNIT)


def compare(connection: Connection, wallet: str, theirs: Sequence[FillKey]) -> Parity:
    """Compare the stored fills of a wallet with those of the command, both as exact decimals."""
    rows = connection.execute(FILLS, [wallet]).fetchall()
    ours = [
        (stamp(at), name, side, quantity, price, fee.quantize(FEE_UNIT))
        for at, name, side, quantity, price, fee in rows
    ]
    only_ours = [fill for fill in ours if fill not in theirs]
    only_theirs = [fill for fill in theirs if fill not in ours]
    return Parity(len(ours), len(theirs), sorted(only_ours), sorted(only_theirs))
