"""The repair that is proposed for an outlier: the bytes and words of a request that a person accepts or declines."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import psycopg
from psycopg.rows import dict_row

from strades_pipelines.ingestion.outliers import Outlier

PROPOSER = "strades"  # who asks for what was found, and takes it back
LARGEST_SHARES = 60  # of a split such as 3 for 2, in either number
OTHERS = ("volume", "quote_volume", "trade_count")
PROPOSED = """
    SELECT d.listing_id, d."interval", d.from_time, d.to_time, d.bars_sha256
    FROM records.discrepancies AS d INNER JOIN ops.data_requests AS r USING (request_id)
    WHERE request_id = %s AND NOT EXISTS (
        SELECT FROM rawsources.fetches AS f
        WHERE f.source = r.source AND f.protocol = r.protocol AND f.sha256 = sha256(r.body)
    )
"""
BARS = """
    SELECT open_time, open, high, low, close, volume, quote_volume, trade_count FROM records.adjusted_candles
    WHERE listing_id = %s AND "interval" = %s AND open_time BETWEEN %s AND %s ORDER BY open_time
"""


@dataclass(frozen=True)
class Listing:
    """The listing that bars are of, as the bytes of a repair name it."""

    listing_id: int
    venue: str
    symbol: str
    currency: str
    calendar: str


@dataclass(frozen=True)
class Repair:
    """A row of `ops.data_requests` without its key and time."""

    kind: str
    protocol: str
    source: str | None
    given: Mapping[str, str]
    file_name: str
    body: bytes
    reason: str


def propose_repair(
    outlier: Outlier, bars: Sequence[Mapping[str, Any]], listing: Listing, interval: str, *, at: datetime
) -> Repair:
    """What would mend an outlier: right prices, the split that nobody stated, or to leave the bar out.

    Args:
        bars: those from `outlier.first` to `outlier.last`, with the columns of `records.adjusted_candles`.
        at: when it is proposed, UTC.
    """
    start = bars[0]["open_time"]
    stored, expected = f"{bars[0]['close']:.8g}", f"{outlier.expected:.8g}"
    if outlier.cause == "split_not_applied":
        new, old = _shares(outlier.factor)
        reason = (
            f"closes fall to {stored} at {_utc(start)} and stay, as after a split {new} for {old} that is not stored"
        )
        split = {"event_time": _utc(start), "numerator": str(new), "denominator": str(old)}
        given = {name: getattr(listing, name) for name in ("venue", "symbol", "calendar", "currency")}
        body = _document(reason, at, {"dividend": [], "capital_gain": [], "split": [split]})
        return Repair("record", "manual_action", "manual", given, f"split-{listing.symbol}.json", body, reason)
    if outlier.cause == "outlier":
        reason = (
            f"the close {stored} of {_utc(start)} is {outlier.factor:.3g} times the bars on both sides ({expected})"
        )
        key = json.dumps([str(listing.listing_id), interval, _utc(start)])
        given = {"table": "candles", "key": key}
        return Repair("exclusion", "exclusion", None, given, "candles.json", _document(reason, at, given), reason)
    reason = (
        f"{', '.join(outlier.cells)} of {len(bars)} bars from {_utc(start)} are {outlier.factor:g} times the bars "
        f"around them (close {stored}, expected {expected}): divide them"
    )
    records = [_corrected(bar, outlier) for bar in bars]
    given = {"venue": listing.venue, "symbol": listing.symbol, "calendar": listing.calendar, "interval": interval}
    body = _document(reason, at, {"records": records})
    return Repair("correction", "manual_candle", "manual", given, f"candle-{listing.symbol}.json", body, reason)


def bars_sha256(bars: Sequence[Mapping[str, Any]]) -> str:
    """SHA-256 of what bars say, in hex: a repair is for these, and for no others that stand there later."""
    lines = [
        f"{_utc(bar['open_time'])} {' '.join(repr(bar[name]) for name in ('open', 'high', 'low', 'close', *OTHERS))}\n"
        for bar in bars
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def is_outdated(connection: psycopg.Connection[Any], request_id: int) -> bool:
    """Whether other bars stand where a request proposes a repair; false of a request of a person.

    False too where its bytes are stored, or where its bar is left out: a process that was killed had begun with it.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        proposed = cursor.execute(PROPOSED, [request_id]).fetchone()
        if proposed is None:
            return False
        where = [proposed[name] for name in ("listing_id", "interval", "from_time", "to_time")]
        bars = cursor.execute(BARS, where).fetchall()
    return bool(bars) and bars_sha256(bars) != proposed["bars_sha256"]


def _corrected(bar: Mapping[str, Any], outlier: Outlier) -> dict[str, str]:
    prices = {
        # Without what the quotient of two floats leaves in the last digits.
        name: float(f"{bar[name] / outlier.factor:.12g}") if name in outlier.cells else bar[name]
        for name in ("open", "high", "low", "close")
    }
    # A price that another unit rounded differently must not leave the bar's own range.
    prices |= {"high": max(prices.values()), "low": min(prices.values())}
    numbers = {**prices, **{name: bar[name] for name in OTHERS if bar[name] is not None}}
    # Without an exponent, and with no other digits than the float has.
    return {"open_time": _utc(bar["open_time"])} | {
        name: f"{Decimal(repr(value)):f}" for name, value in numbers.items()
    }


def _shares(ratio: float) -> tuple[int, int]:
    """New shares and old ones, in the smallest numbers."""
    if ratio < 1:
        return _shares(1 / ratio)[::-1]
    shares = Fraction(ratio).limit_denominator(LARGEST_SHARES)
    return shares.numerator, shares.denominator


def _document(reason: str, at: datetime, content: Mapping[str, Any]) -> bytes:
    document = {"by": PROPOSER, "at": _utc(at), "reason": reason, **content}
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()


def _utc(time: datetime) -> str:
    return time.astimezone(UTC).isoformat()
