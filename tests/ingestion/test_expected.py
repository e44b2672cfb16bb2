"""`strades parse` agrees with every expected parse that others made, or a stated reason says why it cannot."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.ingestion.documents import document
from tests.ingestion.conftest import NOW

HOUR = {"symbol": "BTC_USDT", "interval": "1h"}
Record = Mapping[str, Any]
# Of ccxt, by the protocol that reads the raw response.
CCXT = {
    "gate_fetchOHLCV_public_spot_ohlcv": "gateio_candles",
    "coinbaseexchange_fetchOHLCV_public_spot_ohlcv": "coinbase_candles",
    "kraken_fetchOHLCV_since_and_limit_applied_client_side": "kraken_candles",
    "gate_fetchTrades_public_spot_trades": "gateio_trades",
    "coinbaseexchange_fetchTrades_public_spot_trades": "coinbase_trades",
    "kraken_fetchTrades_spot_trade": "kraken_trades",
    "gate_fetchTicker_public_spot_ticker": "gateio_quotes",
    "coinbaseexchange_fetchTicker_public_spot_ticker": "coinbase_quotes",
    "kraken_fetchTicker_public_spot_ticker": "kraken_quotes",
}
UNREAD = {
    "README.md": "what the folders hold",
    "indicators/*": "values of indicators, no parse: tests/strategy/indicators/test_stock_indicators.py",
    "chartschool/*": "values of indicators, no parse: tests/strategy/indicators/test_chartschool.py",
    "html_tables/nyse_wsj.csv": "a page without times, which every record has: test_statistics.py reads its columns",
}
# Feeds whose dates the other reader completes by what they do not say: ours are without a date, known when seen.
UNDATED = {
    "rss1/rss_1.0_biorxiv": "days without time and zone",
    "rss2/rss_2.0_ilmessaggero": "weekdays in Italian, whose months are those of RFC 822 by chance",
}


def instant(text: str | None) -> datetime | None:
    """A time of either parse, to the second."""
    return datetime.fromisoformat(text).astimezone(UTC).replace(microsecond=0) if text else None


def milliseconds(record: Record) -> int:
    """When a record happened, since the epoch, truncated as ccxt does."""
    name = "open_time" if record["kind"] == "candle" else "event_time"
    return int(datetime.fromisoformat(record[name]).timestamp() * 1000)


def read(protocol: str, body: bytes, given: Mapping[str, str]) -> list[Record]:
    """The records that `strades parse` prints of a body without rejects."""
    found = document(load_protocol(protocol), body, given=given, fetched_at=NOW)
    assert found["rejects"] == []
    return list(found["records"])


def as_ccxt(record: Record) -> Any:
    """A record as far as ccxt has the same: a candle's list, a trade's or a quote's members."""
    if record["kind"] == "candle":
        return [milliseconds(record), *(record[name] for name in ("open", "high", "low", "close", "volume"))]
    if record["kind"] == "quote":
        return {name: record[name] for name in ("bid", "ask")}
    members = {"id": record["trade_id"], "timestamp": milliseconds(record), "amount": record["size"]}
    return members | {name: record[name] for name in ("price", "side")}


def differs_from_ccxt(path: Path) -> bool:
    """Whether our records are not those of ccxt; of candles it was asked for the first ones alone."""
    case = json.loads(path.read_text())
    found = [as_ccxt(record) for record in read(CCXT[path.stem], json.dumps(case["httpResponse"]).encode(), HOUR)]
    wanted = case["parsedResponse"]
    if isinstance(wanted, dict):
        return found != [{name: wanted[name] for name in ("bid", "ask")}]
    if isinstance(wanted[0], list):
        return any(row not in found for row in wanted)
    return found != [{name: row[name] for name in found[0]} for row in wanted]


def feed_differences(path: Path) -> Iterator[str]:
    """Where the entries of a feed are not those that feed-rs finds: their number, titles, times and links."""
    name = f"{path.parent.name}/{path.name.removesuffix('.expected.json')}"
    files = (path.parents[3] / "payloads/feeds/feed_rs").glob(f"{name}.*")
    [body] = [file for file in files if not file.name.endswith(".meta.json")]
    records, wanted = read("feed", body.read_bytes(), {}), json.loads(path.read_text())["entries"]
    if len(records) != len(wanted):
        yield f"{len(records)} entries, wanted {len(wanted)}"
    ours = {words(record["title"]): record for record in records}
    for entry in wanted:
        title = words(entry["title"] and entry["title"]["content"])
        record = ours.get(title) if title else records[0]  # one without a title is titled by its text
        if record is None:
            yield f"no entry {title!r} among {list(ours)[:3]}"
            continue
        texts = [] if name in UNDATED else [entry["published"], entry["updated"]]
        dates = [read_date for text in texts if (read_date := instant(text))]
        if instant(record["published_at"]) != (dates[0] if dates else None):
            yield f"{title!r} published {record['published_at']}, wanted {dates[:1]}"
        if instant(record["knowledge_time"]) != max(dates, default=NOW):
            yield f"{title!r} known {record['knowledge_time']}, wanted {dates}"
        links = [link["href"].rstrip("/") for link in entry["links"]]
        if links and (record["url"] or "").rstrip("/") not in links:
            yield f"{title!r} at {record['url']}, wanted {links}"


LEAST_RECALL, LEAST_PRECISION = 0.9, 0.7  # of another extractor's text, which is a bar of quality, not the truth
OTHER_TITLES = {
    "article_with_divs": "with the name of the site before it",
    "spanish_article": "as the page's metadata have it: with a blank less",
    "video_article_02": "with an apostrophe of another kind",
}


def pieces(text: str) -> set[str]:
    """Each five letters in a row without blanks, of any language."""
    letters = "".join(text.split())
    return {letters[at : at + 5] for at in range(len(letters) - 4)}


def article_differences(path: Path) -> Iterator[str]:
    """Where the article of a page is not the one that newspaper4k finds: its text, title and stated time."""
    body = (path.parents[2] / "payloads/html/news" / f"{path.stem}.html").read_bytes()
    [record], wanted = read("news_article", body, {}), json.loads(path.read_text())
    ours, theirs = pieces(record["text"]), pieces(path.with_suffix(".txt").read_text())
    shared = len(ours & theirs)
    if shared < LEAST_RECALL * len(theirs) or shared < LEAST_PRECISION * len(ours):
        yield f"{shared} of {len(theirs)} pieces of its text, among {len(ours)}"
    if (words(record["title"]) == words(wanted["title"])) == (path.stem in OTHER_TITLES):
        yield f"title {record['title']!r}, wanted {wanted['title']!r}"
    stated, published = str(wanted["publish_date"]), instant(record["published_at"])
    is_whole = len(stated) == len("2018-06-18T13:57:57+00:00")  # a day, or a clock without a zone, is no instant
    if published != instant(stated) if is_whole else published and f"{published:%Y-%m-%d}" != stated[:10]:
        yield f"published {published}, wanted {stated}"


def words(title: str | None) -> str:
    return " ".join((title or "").split())


def test_every_expected_parse_is_ours_or_cannot_be(shared_data: Path) -> None:
    folder = shared_data / "expected"
    used, faults = set(), []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if reason := next((pattern for pattern in UNREAD if fnmatch(name, pattern)), None):
            used.add(reason)
        elif name.startswith("ccxt/") and path.stem in CCXT:
            used.add(path.stem)
            faults += [name] * differs_from_ccxt(path)
        elif name.startswith("html_news/"):
            faults += [f"{name}: {each}" for each in (article_differences(path) if path.suffix == ".json" else ())]
        elif name.startswith("feeds/"):
            faults += [f"{name}: {difference}" for difference in feed_differences(path)]
        else:
            faults.append(f"{name}: nothing reads it; compare it, or say why it cannot be")
    assert faults == []
    assert {*CCXT, *UNREAD} - used == set(), "no file fits these"
