"""A firm's universe: many stocks over years of synthetic daily bars, from stored bodies on; then one more day of each.

The prices are a seeded random walk: only their number and shape matter. `UNIVERSE_STOCKS` (500), `UNIVERSE_YEARS`
(2,20) and `UNIVERSE_LAYERS` make it smaller. What is judged are the ratios, measured in one go. Of 0 years the history
is one day: `UNIVERSE_STOCKS=5000 UNIVERSE_YEARS=0` is a large exchange's first day, and the one after it. To train the
models of all months takes hours; with `UNIVERSE_PREDICTED_FROM` (a day) those before it get none.
"""

import hashlib
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import zstandard
from numpy.typing import NDArray

from benchmarks.run import STRADES, empty_home, measured
from strades_pipelines.database.server import EmbeddedServer
from strades_pipelines.datamanager.calendars import sessions
from strades_pipelines.market.ids import int63

STOCKS = int(os.environ.get("UNIVERSE_STOCKS", "500"))
YEARS = tuple(map(int, os.environ.get("UNIVERSE_YEARS", "2,20").split(",")))
LAYERS = tuple(os.environ.get("UNIVERSE_LAYERS", "records,staging,cleaned,marts,features,predictions").split(","))
PREDICTED_FROM = os.environ.get("UNIVERSE_PREDICTED_FROM")
SEED = 20261129
LAST, NEXT = date(2026, 10, 29), date(2026, 10, 30)
DATABASE = "strades_sandbox"
STATISTICS_DELAY = 1.5  # seconds that the server may be late with its counts
WRITTEN = """
    SELECT schemaname, sum(n_tup_ins + n_tup_upd + n_tup_del)::bigint
    FROM pg_stat_user_tables GROUP BY schemaname
"""


@dataclass
class Step:
    """What a step took: seconds and rows written by layer, and the peak memory of all its processes, in bytes."""

    seconds: Mapping[str, float]
    written: Mapping[str, int]
    whole: float
    peak: int


def main() -> None:
    """Print each step's figures, and the ratios between the longest and the shortest history."""
    found: dict[int, list[Step]] = {}
    for years in YEARS:
        print(f"\n-- {STOCKS} stocks x {years} years" if years else f"\n-- {STOCKS} stocks x 1 day")
        with empty_home() as environment:
            found[years] = list(_steps(environment, years))
    if len(YEARS) > 1:
        _compare(found[YEARS[0]], found[YEARS[-1]], rows=YEARS[-1] / max(YEARS[0], 1))


def _steps(environment: dict[str, str], years: int) -> Iterator[Step]:
    url = prepare(environment, sources_of_stocks(STOCKS, years))
    bars = market(STOCKS, years)
    first = f"{history_start(years):%Y-%m-01}"
    print("making and storing bodies", file=sys.stderr)
    store(url, bodies(bars, until=LAST))
    yield step("first build", environment, url, LAST, first, [*LAYERS[:-1]] if PREDICTED_FROM else LAYERS)
    if PREDICTED_FROM:
        step(f"predictions from {PREDICTED_FROM} on", environment, url, LAST, PREDICTED_FROM, LAYERS[-1:])
    store(url, bodies(bars, until=NEXT, since=date(NEXT.year, 1, 1)))
    yield step("one more day", environment, url, NEXT, "2026-10-01")
    yield step("nothing new", environment, url, NEXT, "2026-10-01")


def history_start(years: int) -> date:
    """The first day of some years of history; of none it is the last."""
    return date(LAST.year - years, 11, 1) if years else LAST


def prepare(environment: dict[str, str], sources: Mapping[str, Any]) -> str:
    """Have the commands of `environment` read these sources and no wallets; returns the database's URL."""
    home = Path(environment["STRADES_HOME"])
    environment |= {name: str(home / f"{name}.json") for name in ("STRADES_SOURCES", "STRADES_WALLETS")}
    Path(environment["STRADES_SOURCES"]).write_text(json.dumps(sources))
    Path(environment["STRADES_WALLETS"]).write_text('{"wallets": []}')
    return EmbeddedServer(home / "postgres").url(DATABASE)


def step(
    title: str, environment: dict[str, str], url: str, today: date, first: str, layers: Sequence[str] = LAYERS
) -> Step:
    """Backfill the layers from the month of `first` on, at 23:00 UTC of `today`, and print what it took."""
    environment = {**environment, "STRADES_SANDBOX_NOW": f"{today}T23:00:00Z"}
    before = _written(url)
    chosen = [word for asset in _assets(layers) for word in ("--asset", asset)]
    document, whole, peak = _measured(
        title, [STRADES, "backfill", "--from", first, "--to", "2026-11-01", *chosen], environment
    )
    for failure in document["failures"]:
        print(f"  FAILED {failure}")
    steps = {(asset["seconds"], asset["asset"].partition("/")[0]) for asset in document["assets"] if asset["seconds"]}
    seconds: dict[str, float] = defaultdict(float)
    for spent, layer in steps:
        seconds[layer] += spent
    after = _written(url)
    written = {layer: after.get(layer, 0) - before.get(layer, 0) for layer in after}
    for layer in layers:
        print(f"  {layer:12} {seconds[layer]:8.2f} s  {written.get(layer, 0):>12,} rows written")
    return Step(seconds, written, whole, peak)


def _measured(title: str, command: list[str], environment: dict[str, str]) -> tuple[dict[str, Any], float, int]:
    started = time.perf_counter()
    document = measured(title, [*command, "--json"], environment)
    return document, time.perf_counter() - started, document.get("peak", 0)


def _assets(layers: Sequence[str]) -> list[str]:
    from strades_pipelines.definitions import defs

    graph = defs().resolve_asset_graph()
    return [key.to_user_string() for key in graph.executable_asset_keys if key.path[0] in layers]


def _written(url: str) -> dict[str, int]:
    """Rows inserted, updated and deleted by schema so far."""
    time.sleep(STATISTICS_DELAY)
    with psycopg.connect(url) as connection:
        return dict(connection.execute(WRITTEN).fetchall())


def _compare(short: Sequence[Step], long: Sequence[Step], rows: float) -> None:
    print(f"\nratios of {YEARS[-1]} to {YEARS[0]} years")
    for layer in LAYERS:
        build = long[0].seconds.get(layer, 0) / max(short[0].seconds.get(layer, 0), 0.01) / rows
        day = long[1].seconds.get(layer, 0) / max(short[1].seconds.get(layer, 0), 0.01)
        print(f"  {layer:12} first build, time a row {build:5.2f}   one more day {day:5.2f}")
    print(f"  {'whole run':12} first build, time a row {long[0].whole / short[0].whole / rows:5.2f}", end="")
    print(f"   one more day {long[1].whole / short[1].whole:5.2f}")
    print(f"nothing new / one more day over {YEARS[-1]} years: {long[2].whole / long[1].whole:.2f}")
    print(f"peak memory of the first build: {long[0].peak / max(short[0].peak, 1):.2f} times")


def sources_of_stocks(stocks: int, years: int) -> dict[str, Any]:
    """Sources.json of a source that asks for the daily bars of stocks U0000, U0001 ... since some years ago."""
    names = [f"U{number:04}" for number in range(stocks)]
    start = f"{history_start(years)}T00:00:00"
    shared: dict[str, Any] = {
        "type": "timeseries",
        "interval": "1d",
        "start_date": start,
        "end_date": None,
        "kind": "equity",
    }
    shared |= {"currency": "USD", "tick_size": 0.01, "lot_size": 1}
    instruments = [{"id": f"{name}EQ", "symbol": name, "name": f"Synthetic {name}", **shared} for name in names]
    website = {
        "name": "yahoo", "title": "Synthetic universe", "url": "https://finance.yahoo.com/", "fonctionnel": True,
        "category": "markets", "protocol": "yahoo_chart", "venue": "yahoo", "schedule": "30 21 * * 1-5",
        "financial_instruments": [item["id"] for item in instruments], "licence": "synthetic",
        "history_from": start[:10],
    }  # fmt: skip
    return {"websites": [website], "financial_instruments": instruments}


@dataclass(frozen=True)
class Bars:
    """Opening seconds since the epoch of each session; open, high, low, close and volume, (5, sessions, stocks)."""

    days: list[date]
    opens: NDArray[np.int64]
    values: NDArray[np.float64]


def market(stocks: int, years: int) -> Bars:
    """A random walk of each stock over the sessions of New York up to NEXT."""
    known = sessions("XNYS", LAST.year - years, NEXT.year)
    days = known.dates.tolist()
    chosen = [n for n, day in enumerate(days) if history_start(years) <= day <= NEXT]
    random = np.random.default_rng(SEED)
    close = 100 * np.exp(np.cumsum(random.normal(0.0002, 0.015, (len(chosen), stocks)), axis=0))
    opened = close * np.exp(random.normal(0, 0.005, close.shape))
    high = np.maximum(opened, close) * (1 + random.random(close.shape) * 0.01)
    low = np.minimum(opened, close) * (1 - random.random(close.shape) * 0.01)
    volume = random.integers(100_000, 10_000_000, close.shape).astype(float)
    return Bars(
        [days[n] for n in chosen], known.opens[chosen] // 1_000_000, np.stack([opened, high, low, close, volume])
    )


def bodies(bars: Bars, *, until: date, since: date = date.min) -> Iterator[tuple[str, date, bytes]]:
    """Symbol, year's first day and body of each year's answer, with a dividend a quarter from every other stock."""
    rows = [n for n, day in enumerate(bars.days) if since <= day <= until]
    for year, group in groupby(rows, key=lambda n: bars.days[n].year):
        chosen = list(group)
        stamps = bars.opens[chosen].tolist()
        quarters = [chosen[n] for n in range(20, len(chosen), 63)]
        for stock in range(bars.values.shape[2]):
            columns = np.round(bars.values[:, chosen, stock], 4).tolist()
            quote = dict(zip(("open", "high", "low", "close", "volume"), columns, strict=True))
            meta = {"currency": "USD", "symbol": f"U{stock:04}", "exchangeName": "NYQ", "dataGranularity": "1d"}
            result: dict[str, Any] = {"meta": meta | {"exchangeTimezoneName": "America/New_York"}, "timestamp": stamps}
            if stock % 2:
                paid = {str(bars.opens[n]): {"amount": 0.25, "date": int(bars.opens[n])} for n in quarters}
                result["events"] = {"dividends": paid}
            result["indicators"] = {"quote": [quote]}
            yield f"U{stock:04}", date(year, 1, 1), json.dumps({"chart": {"result": [result], "error": None}}).encode()


def store(url: str, bodies: Iterator[tuple[str, date, bytes]]) -> None:
    """As the spiders would have: each asked for a year, the running one on its last day."""
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        stored = [(symbol, first, body, hashlib.sha256(body).digest()) for symbol, first, body in bodies]
        with cursor.copy("COPY rawsources.bodies (sha256, size, body) FROM STDIN") as copy:
            for _, _, body, sha256 in stored:
                copy.write_row((sha256, len(body), zstandard.compress(body, 3)))
        columns = (
            "fetch_id, source, protocol, request_key, url, given, window_start, window_end, month, status, fetched_at"
        )
        with cursor.copy(f"COPY rawsources.fetches ({columns}, outcome, sha256, run_id) FROM STDIN") as copy:
            for number, (symbol, first, body, sha256) in enumerate(stored):
                start, end = datetime(first.year, 1, 1, tzinfo=UTC), datetime(first.year + 1, 1, 1, tzinfo=UTC)
                last = json.loads(body)["chart"]["result"][0]["timestamp"][-1]
                asked = max(datetime.fromtimestamp(last, UTC) + timedelta(hours=8, microseconds=number), start)
                given = json.dumps({"symbol": symbol, "interval": "1d", "venue": "yahoo"})
                copy.write_row((
                    int63("universe", symbol, str(first), sha256.hex()), "yahoo", "yahoo_chart", f"{symbol} {first:%Y}",
                    "https://finance.yahoo.com/", given, start, end, first, 200, asked, "stored", sha256, "bench",
                ))  # fmt: skip
        connection.commit()
