"""Mutated bodies of every parser and mutated frames of every stream: refused or read by the laws, and never a crash.

    python -m tests.ingestion.fuzz --runs 2000 --log fuzz-parsers.tsv

goes on behind the last seed in the log. Each run mutates the body of every protocol once: bytes are replaced, taken
out, doubled or put elsewhere, and numbers are made absurd. The bodies are the sandbox's, or as providers document them.
"""

import argparse
import json
import math
import re
import sys
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pyarrow as pa

from sandbox.candles import bars_until
from sandbox.market import MINUTE, PAIRS
from sandbox.server import PROVIDERS
from sandbox.stream_formats import FORMATS
from sandbox.tape import quote_after, trades_oldest_first
from sandbox.world import World, microseconds
from strades_pipelines.datamanager.planning import plan
from strades_pipelines.datamanager.protocols import STREAM_SUFFIX, load_protocol, protocol_names
from strades_pipelines.datamanager.sources import Instrument, Sources, Website, load_sources
from strades_pipelines.ingestion.frame_reader import SEPARATOR, join_frames
from strades_pipelines.ingestion.parse import parse
from strades_pipelines.ingestion.record_tables import TARGETS
from strades_pipelines.ingestion.streams.routing import SEVERAL, Router
from strades_pipelines.ingestion.verdicts import BodyRefused, Parsed
from strades_pipelines.settings import PROJECT
from tests.ingestion.test_alpaca_stocks import BARS, FRAME, QUOTES, TRADES
from tests.ingestion.test_article_reader import page
from tests.ingestion.test_full_text import EXHIBIT, REPORT
from tests.ingestion.test_payloads import DEBT, GDELT, HITS

NOW = datetime(2026, 11, 1, 0, 0, 30, tzinfo=UTC)
SKEW = timedelta(seconds=10)
SYMBOLS = {
    "gateio": "BTC_USDT",
    "binance": "BTCUSDT",
    "coinbase": "BTC-USDT",
    "kraken": "BTC/USDT",
    "alpaca": "BTC/USDT",
    "sec": "0000320193",
}
LINES = 60  # of a file of decades
RECORDED = datetime(2026, 10, 31, 22, tzinfo=UTC), datetime(2026, 10, 31, 23, tzinfo=UTC)
OLDER = datetime(2012, 3, 1, tzinfo=UTC), datetime(2012, 4, 1, tzinfo=UTC)  # of shares, whose bars end in 2013
ABSURD = (b"NaN", b"-1", b"0", b"1e999", b"9" * 30, b"null", b"true", b'""', b"[]", b"1793491200", b"-0.0", b"1e-320")
LETTERS = b"0123456789.,\"[]{}<>-+eE:/;&'nul \x00\xff\x1e\n"
POSITIVE = {"candle": ("open", "high", "low", "close"), "trade": ("price", "size"), "quote": ("bid", "ask")}
MANUAL = {
    "manual_candle": {"records": [{"open_time": "2026-10-30T00:00:00Z", "open": 1, "high": 3, "low": 1, "close": 2}]},
    "manual_observation": {"records": [{"event_time": "2026-10-01", "series": "GDP", "unit": "percent", "value": 1.5}]},
    "manual_action": {
        "dividend": [{"event_time": "2026-10-01T00:00:00Z", "amount": 0.5, "currency": "USD"}],
        "capital_gain": [],
        "split": [],
    },
}
GDP = {"date": "2024-04-01", "realtime_start": "2024-07-25", "realtime_end": "9999-12-31", "value": "28629.153"}
START = {"start": "1793404800", "low": "1.5", "high": "3", "open": "2", "close": "2.5", "volume": "7"}
WRITTEN: Mapping[str, Any] = {
    "hacker_news": HITS,
    "gdelt_articles": GDELT,
    "treasury_debt": DEBT,
    "sec_full_text": {"hits": {"hits": [EXHIBIT, REPORT]}},
    "fred_observations": {"count": 1, "observations": [GDP]},
    "coinbase_advanced_candles": {"candles": [START]},
    "alpaca_stock_candles": BARS,
    "alpaca_stock_quotes": QUOTES,
    "alpaca_stock_trades": TRADES,
    **MANUAL,
}
WRITTEN_FRAMES = {"alpaca_stock_trades_stream": [[message] for message in FRAME]}


@dataclass(frozen=True)
class Specimen:
    """A body that a parser reads, and what is given with it."""

    body: bytes
    given: Mapping[str, str]


def names() -> tuple[str, ...]:
    """Every parser: the protocols, and those of their streams."""
    known = protocol_names()
    return (*known, *(name + STREAM_SUFFIX for name in known if load_protocol(name).stream is not None))


@cache
def specimen(name: str) -> Specimen:
    """The body of a protocol."""
    if name.endswith(STREAM_SUFFIX):
        return _of_stream(name)
    if name in WRITTEN:
        given = {"symbol": "GDP", "interval": "1m" if name.startswith("alpaca") else "1d", "calendar": "24/7"}
        given |= {"currency": "USD", "lag_days": "1"}
        return Specimen(json.dumps(WRITTEN[name]).encode(), given)
    if name == "news_article":
        return Specimen(page(), {})
    known = load_sources(PROJECT / "Sources.json")
    listed = [website for website in known.websites if website.protocol == name]
    if listed:
        sources, website = known, listed[0]
        window = RECORDED if name.startswith("gateio") or "news" in website.name else OLDER
    else:
        symbol = SYMBOLS[name.partition("_")[0]]
        instrument = Instrument("001CC", symbol, symbol, "spot", "1m", OLDER[0], None, "spot", "USDT")
        website = Website("x", "X", "https://x.example/", True, "markets", name, "", ("001CC",), "", "x", None)
        sources, window = Sources((website,), (instrument,)), RECORDED
    request = plan(website, sources, window=window, now=NOW, log={}, force=True, protocol=load_protocol(name))[0]
    parts = urlsplit(request.url)
    world = World(now=lambda: NOW, clock_held=True, seed=1, extra=PROJECT / "nothing")
    reply = PROVIDERS[parts.netloc](world, parts.path.lstrip("/"), dict(parse_qsl(parts.query)))
    assert reply.status == 200, (name, request.url, reply.body[:200])
    return Specimen(_shortened(reply.body), request.given)


def _shortened(body: bytes) -> bytes:
    """The beginning of a CSV, or of the one in a zip; other bodies as they are."""
    if not body.startswith(b"PK"):
        return b"".join(body.splitlines(keepends=True)[:LINES]) if body.startswith(b"observation_date") else body
    packed = BytesIO()
    with zipfile.ZipFile(BytesIO(body)) as archive, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as shorter:
        [member] = archive.namelist()
        shorter.writestr(member, b"".join(archive.read(member).splitlines(keepends=True)[:LINES]))
    return packed.getvalue()


def _of_stream(name: str) -> Specimen:
    """Frames of half an hour: ten trades, ten quotes and three bars, of what the stream has."""
    if name in WRITTEN_FRAMES:
        return Specimen(join_frames(json.dumps(message).encode() for message in WRITTEN_FRAMES[name]), {})
    protocol = load_protocol(name)
    assert protocol.stream is not None
    venue, pair = FORMATS[urlsplit(protocol.stream.url).netloc](), PAIRS["BTC_USDT"]
    since, until = microseconds(RECORDED[0]), microseconds(RECORDED[1])
    trades = trades_oldest_first(1, pair, since=since, until=until, count=10)
    first = since // MINUTE
    bars = [bar for bar, _ in bars_until(1, pair.symbol, interval=MINUTE, first=first, last=first + 2, now=until)]
    messages: list[object] = []
    kinds = {output.kind for output in protocol.read.outputs}
    messages += [venue.trade(pair, trade) for trade in trades] if "trade" in kinds else []
    messages += [venue.quote(pair, quote_after(trade)) for trade in trades] if "quote" in kinds else []
    messages += [venue.bar(pair, "1m", MINUTE, bar, until) for bar in bars] if "candle" in kinds else []
    given = {"interval": "1m", "calendar": "24/7"}
    if protocol.stream.messages is None:
        given["symbol"] = SYMBOLS[name.partition("_")[0]]
    return Specimen(join_frames(json.dumps(message).encode() for message in messages), given)


def mutated(body: bytes, random: Random) -> bytes:
    """The body with one to eight mistakes."""
    made = bytearray(body)
    for _ in range(random.randint(1, 8)):
        at, length = random.randrange(len(made) + 1), random.choice((1, 1, 2, 9, 80))
        action = random.randrange(6)
        if action == 0 and at < len(made):
            made[at] = random.choice(LETTERS)
        elif action == 1:
            del made[at : at + length]
        elif action == 2:
            made[at:at] = made[at : at + length]
        elif action == 3:
            elsewhere = random.randrange(len(made) + 1)
            made[at : at + length] = made[elsewhere : elsewhere + length]
        elif action == 4 and (numbers := list(re.finditer(rb"-?[0-9]+(?:\.[0-9]+)?", made[at : at + 4_000]))):
            found = random.choice(numbers)
            made[at + found.start() : at + found.end()] = random.choice(ABSURD)
        else:
            made = made[: max(1, at)] if random.random() < 0.2 else made
    return bytes(made)


def check_laws(name: str, parsed: Parsed) -> None:
    """What every row obeys whatever the bytes were."""
    given = specimen(name).given
    for kind, table in parsed.tables.items():
        assert table.schema.equals(pa.schema(table.schema))
        identity = ("symbol", *TARGETS[kind].key, "vintage")  # all vintages of a value may be in one body
        key = [column for column in identity if column in table.column_names]
        rows = table.to_pylist()
        keys = [tuple(row[column] for column in key) for row in rows]
        assert len(keys) == len(set(keys)), "a key is there twice"
        for row in rows:
            _check_row(kind, row, given)
    for reject in parsed.rejects:
        assert reject.raw.isprintable()
        assert reject.where.isprintable()


def _check_row(kind: str, row: Mapping[str, Any], given: Mapping[str, str]) -> None:
    for column, value in row.items():
        if isinstance(value, float):
            assert math.isfinite(value), column
            assert abs(value) < 2.0**53, column
        if isinstance(value, str):
            assert "\x00" not in value, column
    for column in POSITIVE.get(kind, ()):
        assert row[column] is None or row[column] > 0, column
    if kind == "candle":
        assert row["low"] <= min(row["open"], row["close"]) <= max(row["open"], row["close"]) <= row["high"]
        assert row["open_time"] < row["close_time"] == row["knowledge_time"]
        assert not row["is_final"] or row["close_time"] <= NOW
    if kind == "quote" and None not in (row["bid"], row["ask"]):
        assert row["bid"] <= row["ask"]
    if kind in ("trade", "quote"):
        assert datetime(2010, 1, 1, tzinfo=UTC) < row["event_time"] <= NOW + SKEW
    if "symbol" in given and kind in ("trade", "quote", "candle"):
        assert row["symbol"] == given["symbol"]


def run(name: str, seed: int) -> tuple[str, str]:
    """The result of one mutated body: `read`, `refused`, or `WRONG` with what was."""
    body = mutated(specimen(name).body, Random(f"{name} {seed}"))
    refusal = ""
    try:
        if name.endswith(STREAM_SUFFIX):
            _route(name, body)
        check_laws(name, parse(load_protocol(name), body, given=specimen(name).given, fetched_at=NOW))
    except BodyRefused as refused:
        refusal = str(refused)
    except Exception as error:
        return "WRONG", f"{type(error).__name__}: {error}"
    if not refusal:
        return "read", ""
    return ("refused", "") if refusal.isprintable() else ("WRONG", "a refusal of several lines")


def _route(name: str, body: bytes) -> None:
    """What an adapter makes of frames: only instruments that were asked for, and times that fit into the database."""
    symbol = SYMBOLS[name.partition("_")[0]]
    instrument = Instrument("001CC", symbol, symbol, "spot", "1m", OLDER[0], None, "spot", "USDT")
    router = Router(load_protocol(name.removesuffix(STREAM_SUFFIX)), [instrument])
    for route in router.route(body.split(SEPARATOR)):
        assert route.instrument in (None, "001CC", SEVERAL)
        assert all(each.time is None or abs(each.time) < 2**63 for each in route.sightings)


def totals(lines: Sequence[str]) -> Counter[str]:
    """How often each result stands in a log."""
    return Counter(line.split("\t")[2] for line in lines)


def main() -> int:
    """Run from where the log ends; returns 1 where something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2_000, help="mutated bodies of each parser")
    parser.add_argument("--log", type=Path, required=True, help="a line for each: seed, parser, result, what was said")
    given = parser.parse_args()
    known = given.log.read_text().splitlines() if given.log.exists() else []
    first = int(known[-1].partition("\t")[0]) + 1 if known else 0
    with given.log.open("a") as log:
        for seed in range(first, given.runs):
            results = [(name, *run(name, seed)) for name in names()]
            lines = [f"{seed}\t{name}\t{result}\t{said}".replace("\n", " ") for name, result, said in results]
            log.write("".join(f"{line}\n" for line in lines))
            log.flush()
    counts = totals(given.log.read_text().splitlines())
    print(f"{len(names())} parsers:", ", ".join(f"{result}: {count:,}" for result, count in sorted(counts.items())))
    return 1 if counts["WRONG"] else 0


if __name__ == "__main__":
    sys.exit(main())
