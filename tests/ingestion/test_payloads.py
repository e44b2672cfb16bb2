"""Every recorded payload is read by the protocol of its provider, or stands in the list of what has none."""

import gzip
import json
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.ingestion.bars import GivenError
from strades_pipelines.ingestion.parse import parse
from strades_pipelines.ingestion.verdicts import BodyRefused

NOW = datetime(2026, 11, 30, tzinfo=UTC)
MINUTES, HOURS, DAYS = ({"symbol": "X", "interval": interval} for interval in ("1m", "1h", "1d"))
NEW_YORK = {"calendar": "XNYS", "currency": "USD", "interval": "1d"}
# Payloads by pattern: the protocol and what is given with the request. The first pattern that fits counts.
READ_BY: dict[str, tuple[str, dict[str, str]]] = {
    "binance/rest_v3_recorded/api_v3_klines*interval_1m*": ("binance_candles", MINUTES),
    "binance/rest_v3_recorded/api_v3_klines*interval_5m*": ("binance_candles", {"symbol": "X", "interval": "5m"}),
    "binance/rest_v3_recorded/api_v3_klines*interval_1h*": ("binance_candles", HOURS),
    "binance/rest_v3_recorded/api_v3_klines*interval_1d*": ("binance_candles", DAYS),
    "binance/rest_nautilus/http_spot_market_klines.json": ("binance_candles", MINUTES),
    "binance/rest_*/*agg*trades*.json": ("binance_trades", {"symbol": "X"}),
    "binance/rest_v3_recorded/*ticker_bookticker_symbol_btcusdt.json": ("binance_quotes", {"symbol": "BTCUSDT"}),
    "binance/rest_v3_recorded/*ticker_24hr_symbol_btcusdt.json": ("binance_quotes", {"symbol": "BTCUSDT"}),
    "binance/rest_v3_recorded/*ticker_24hr_symbol_dogeusdt.json": ("binance_quotes", {"symbol": "DOGEUSDT"}),
    "coinbase/rest_exchange/ticker_vcr.json": ("coinbase_quotes", {"symbol": "X"}),
    "kraken/rest*/*ticker.json": ("kraken_quotes", {"symbol": "X"}),
    "coinbase/rest_advanced/http_candles.json": ("coinbase_advanced_candles", HOURS),
    "ecb/eurofxref-hist.zip": ("ecb_fx_history", {}),
    "ecb/eurofxref-daily_*.xml": ("ecb_fx_daily", {}),
    "fred/series_observations_*.json": ("fred_observations", {"symbol": "GDP", "unit": "billion USD"}),
    "kraken/rest_nautilus/http_ohlc.json": ("kraken_candles", MINUTES),
    "kraken/rest_nautilus/http_trades.json": ("kraken_trades", {"symbol": "X"}),
    "sec/submissions_*.json": ("sec_submissions", {"symbol": "0001318605"}),
    "sec/litigation_releases_rss_excerpt.xml": ("feed", {}),
    "yahoo/chart/*interval-1m.json": ("yahoo_chart", {"calendar": "XNYS", "currency": "USD", "interval": "1m"}),
    "yahoo/chart/chart-ocdo.l*.json": ("yahoo_chart", {"calendar": "XLON", "currency": "GBP", "interval": "1d"}),
    "yahoo/chart/*btc-usd*.json": ("yahoo_chart", {"calendar": "24/7", "currency": "USD", "interval": "1d"}),
    "yahoo/chart/*eurusd*.json": ("yahoo_chart", {"calendar": "24/5", "currency": "USD", "interval": "1d"}),
    "yahoo/chart/*.json": ("yahoo_chart", NEW_YORK),
    "feeds/*": ("feed", {}),
    "html/news/*.html": ("news_article", {}),
}
# What has no protocol, and why: these records have no table, or the interface is gone.
UNREAD = {
    "*depth*": "order books",
    "*order_book*": "order books",
    "*book*": "order books",
    "*/ws*/*": "frames of several channels: test_streams.py and test_frames.py read those of our streams",
    "*ticker*": "tickers of many instruments, or without a quote of their own",
    "*exchangeinfo*": "lists of instruments",
    "*assetpairs*": "lists of instruments",
    "*asset_pairs*": "lists of instruments",
    "*currency_pairs*": "lists of instruments",
    "*product*": "lists of instruments",
    "*_status*": "the state of a server",
    "*_time*": "the state of a server",
    "binance/rest_v1_legacy/*": "an interface that is gone",
    "binance/*_trades*": "single trades: aggregated ones are read",
    "gateio/rest_v2_legacy/*": "an interface that is gone",
    "kraken/rest/trades_bcheur.json": "rows of 2019, which had no trade id",
    "fred/series_*": "what a series, a release is; dates of vintages",
    "html/tables/*": "pages of no source; test_html_reader.py reads them",
    "sec/*": "a form, a table or a list as page or XML",
    "yahoo/other/*": "quotes of a moment, and a search",
}
# Four of Binance's bodies lost the name of the field `m` to their recorder.
NAMELESS = "expected rows with a, T, p, q, m"
EMPTY = {"yahoo/chart/chart-aapl-2025-02-01-to-2025-02-02-includeprepost-false-interval-1m.json": "a weekend"}


def payloads(folder: Path) -> list[str]:
    """Every payload, by its path."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    names = (path.relative_to(folder).as_posix() for path in paths)
    return sorted(name for name in names if "/" in name and not name.endswith((".meta.json", "README.md")))


def read(path: Path, protocol: str, given: dict[str, str]) -> Any:
    """The parse of a payload."""
    body = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return parse(load_protocol(protocol), body, given=given, fetched_at=NOW)


def test_every_payload_is_read_or_has_no_protocol(shared_data: Path) -> None:
    folder = shared_data / "payloads"
    faults, used = [], set()
    for name in payloads(folder):
        found = next((pattern for pattern in READ_BY if fnmatch(name, pattern)), None)
        if found is None:
            unread = next((pattern for pattern in UNREAD if fnmatch(name, pattern)), None)
            used.add(unread)
            if unread is None:
                faults.append(f"{name}: no protocol reads it; write one, or say why it has none")
            continue
        used.add(found)
        try:
            parsed = read(folder / name, *READ_BY[found])
        except (BodyRefused, GivenError) as error:
            if NAMELESS in str(error) and '"":false' in (folder / name).read_text():
                continue
            faults.append(f"{name}: {error}")
            continue
        records = sum(table.num_rows for table in parsed.tables.values())
        if bool(records) == (name in EMPTY):
            faults.append(f"{name}: no record, {len(parsed.rejects)} rejects {parsed.rejects[:1]}")
    assert faults == []
    assert {*READ_BY, *UNREAD} - used == set(), "no payload fits these"


# As their documentation has them (stories newest first), and recorded bodies that others published.
HITS = {
    "nbHits": 2,
    "hits": [
        {"objectID": "121003", "title": "Ask HN: The Arc Effect", "author": "tel", "created_at": "2008-02-22T02:33:40Z",
         "created_at_i": 1203647620, "_tags": ["story", "ask_hn"]},
        {"objectID": "8863", "title": "My YC app", "url": "http://www.getdropbox.com/u/2/screencast.html",
         "author": "dhouston", "created_at": "2007-04-04T19:16:40Z", "created_at_i": 1175714200,
         "_tags": ["story", "author_dhouston", "story_8863"]},
    ],
}  # fmt: skip
GDELT = {
    "articles": [
        {"url": "https://www.semana.com/a", "url_mobile": "", "title": "Capturan en México", "domain": "semana.com",
         "seendate": "20230918T030000Z", "socialimage": "", "language": "Spanish", "sourcecountry": "Colombia"}
    ]
}  # fmt: skip
DEBT = {
    "data": [{"record_date": "2024-03-28", "debt_held_public_amt": "27493627130711.86",
              "intragov_hold_amt": "7093063061127.20", "tot_pub_debt_out_amt": "34586690191839.06"}],
    "meta": {"count": 1, "total-count": 1, "dataTypes": {"record_date": "DATE"}},
}  # fmt: skip


def records(protocol: str, body: Any, **given: str) -> list[dict[str, Any]]:
    """The records of a document."""
    parsed = parse(load_protocol(protocol), json.dumps(body).encode(), given=given, fetched_at=NOW)
    assert parsed.rejects == ()
    return [row for table in parsed.tables.values() for row in table.to_pylist()]


def test_stories_of_hacker_news_are_articles() -> None:
    first, second = records("hacker_news", HITS)
    assert (first["article_id"], first["authors"]) == ("8863", ["dhouston"])
    assert first["published_at"] == first["knowledge_time"] == datetime(2007, 4, 4, 19, 16, 40, tzinfo=UTC)
    assert (second["url"], second["categories"]) == (None, ["story", "ask_hn"])
    with pytest.raises(BodyRefused, match="expected 1200 rows, as /nbHits says, was 2"):
        records("hacker_news", HITS | {"nbHits": 1200})


def test_articles_that_gdelt_saw_are_known_from_when_it_saw_them() -> None:
    [row] = records("gdelt_articles", GDELT)
    assert (row["article_id"], row["title"], row["language"]) == (
        "https://www.semana.com/a", "Capturan en México", "Spanish",
    )  # fmt: skip
    assert row["knowledge_time"] == datetime(2023, 9, 18, 3, tzinfo=UTC)
    for notice in (b"Please limit requests to one every 5 seconds.", b"<html>"):  # with HTTP 200
        with pytest.raises(BodyRefused):
            parse(load_protocol("gdelt_articles"), notice, given={}, fetched_at=NOW)
    wrong = GDELT["articles"][0] | {"seendate": "20230918T036100Z"}
    [undated] = records("gdelt_articles", {"articles": [wrong]})
    assert (undated["published_at"], undated["knowledge_basis"]) == (None, "observed")


def test_the_debt_of_the_treasury_adds_up_and_is_out_on_the_next_session() -> None:
    found = {row["series"]: row for row in records("treasury_debt", DEBT)}
    parts = found["UST_DEBT:PUBLIC"]["value"] + found["UST_DEBT:INTRAGOVERNMENTAL"]["value"]
    assert parts == pytest.approx(found["UST_DEBT:TOTAL"]["value"], abs=0.01)
    # 28 March 2024 was the Thursday before Good Friday: the next session is Monday's.
    assert {row["knowledge_time"] for row in found.values()} == {datetime(2024, 4, 2, 3, 59, tzinfo=UTC)}


def test_advanced_candles_are_read_by_their_names(shared_data: Path) -> None:
    path = shared_data / "payloads/coinbase/rest_advanced/http_candles.json"
    rows = read(path, "coinbase_advanced_candles", HOURS).tables["candle"].to_pylist()
    assert [row["open_time"].timestamp() for row in rows] == [1712188800, 1712192400]
    assert [rows[1][name] for name in ("open", "high", "low", "close", "volume")] == [
        66312.4, 66331.99, 66055.14, 66181.6, 355.82896243,
    ]  # fmt: skip
