"""What providers are known to send in place of a value: the value is lost or understood, the record stays.

Each right value is from the provider's own words, named beside it, or arithmetic.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from strades_pipelines.datamanager.planning import given_of
from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.ingestion.parse import parse
from strades_pipelines.ingestion.verdicts import BodyRefused, Parsed
from strades_pipelines.settings import PROJECT
from tests.ingestion.conftest import NOW
from tests.ingestion.protocols import CLOSE, SERIES, daily_bars, made, wire_articles
from tests.ingestion.test_unplanned_values import chart, page, read, reasons, rss, seconds

# ---------------------------------------------------------------- bars


def bar_of(**counts: Any) -> Parsed:
    """A bar as ib_insync writes it out."""
    fields: dict[str, Any] = {name: {"at": name} for name in ("open", "high", "low", "close")}
    fields |= {"open_time": {"at": "date", "unit": "date"}, "volume": {"at": "volume", "optional": True}}
    fields |= {"trade_count": {"at": "barCount", "optional": True}}
    output = {"kind": "candle", "layout": "objects", "fields": fields, "knowledge": CLOSE, "earliest": "2000-01-01"}
    protocol = made("ib_bars", {"format": "json", "scalars": SERIES, "outputs": [output]})
    row = {"date": "2022-10-03", "open": 1.1, "high": 1.2, "low": 1.0, "close": 1.1, "volume": 5, "barCount": 2}
    body = json.dumps([row | counts]).encode()
    return parse(protocol, body, given={"symbol": "EURUSD", "interval": "1d"}, fetched_at=NOW)


@pytest.mark.parametrize(
    ("counts", "kept", "lost"),
    [
        ({"barCount": -1}, (5.0, None), ["trade_count_negative"]),
        ({"volume": -1}, (None, 2), ["volume_negative"]),
        ({"volume": -1, "barCount": -1}, (None, None), ["volume_negative", "trade_count_negative"]),
        ({"volume": 0, "barCount": 0}, (0.0, 0), []),
    ],
)
def test_a_count_below_zero_is_none_and_costs_no_bar(
    counts: dict[str, int], kept: tuple[float | None, int | None], lost: list[str]
) -> None:
    """Interactive Brokers writes -1 where it has no volume or count (ib_insync, issue 521: bars of MIDPOINT)."""
    found = bar_of(**counts)
    assert [(bar["volume"], bar["trade_count"], bar["close"]) for bar in found.tables["candle"].to_pylist()] == [
        (*kept, 1.1)
    ]
    assert reasons(found) == lost


def test_a_future_below_zero_is_a_price_on_a_page_and_in_a_file_of_ones_own() -> None:
    """Crude oil for May settled at -37.63 dollars on 2020-04-20 (CFTC, interim report of 23 November 2020)."""
    given = {"symbol": "CL", "interval": "1d", "calendar": "CMES"}
    row = "2020-04-20 17.73 17.85 -40.32 -37.63 5"
    own = daily_bars(calendar="CMES", unit="date")
    csv = f"ts_utc,open,high,low,close,volume\n{row.replace(' ', ',')}\n".encode()
    for protocol, body in ((load_protocol("html_table"), page(row).encode()), (own, csv)):
        future = parse(protocol, body, given=given | {"kind": "future"}, fetched_at=NOW)
        assert future.tables["candle"]["close"].to_pylist() == [-37.63]
        share = parse(protocol, body, given=given | {"kind": "equity"}, fetched_at=NOW)
        assert reasons(share) == reasons(parse(protocol, body, given=given, fetched_at=NOW)) == ["price_not_positive"]


def test_the_kind_of_an_instrument_is_given_with_its_bodies() -> None:
    sources = load_sources(PROJECT / "Sources.json")
    website = sources.website("pages")
    instrument = sources.instruments_of(website)[0]
    protocol = load_protocol("html_table")
    assert given_of(website, protocol, replace(instrument, kind="future"))["kind"] == "future"
    assert "kind" not in given_of(website, protocol, instrument)


# ---------------------------------------------------------------- dividends and splits


def actions(kind: str, *events: dict[str, Any]) -> Parsed:
    """What events of a share in New York become."""
    return read("yahoo_chart", chart({kind: dict(enumerate(events))}), symbol="EX", currency="USD")


def test_two_dividends_of_one_day_are_paid_both() -> None:
    """Microsoft on 2004-11-15: 0.08 of the quarter and 3.00 special (its release of 2004-07-20); together 3.08."""
    first = {"date": int(datetime(2004, 11, 15, 14, 30, tzinfo=UTC).timestamp()), "amount": 0.08}
    special = {"date": first["date"] + 60, "amount": 3.0}
    for events in ((first, special), (special, first), (first, special, special)):
        found = actions("dividends", *events)
        [paid] = found.tables["corporate_action"].to_pylist()
        assert (paid["ex_date"], paid["amount"]) == (date(2004, 11, 15), 3.08)
        assert reasons(found) == ["duplicate"] * (len(events) - 2)
    dollars, canadian = first | {"currency": "USD"}, special | {"currency": "CAD"}  # no sum without a rate
    assert reasons(actions("dividends", dollars, canadian)) == ["conflicting_duplicate"] * 2


def test_two_ratios_of_one_day_still_contradict_each_other() -> None:
    split = {"date": seconds(3, 14, 30), "numerator": 2, "denominator": 1}
    assert reasons(actions("splits", split, split | {"numerator": 3})) == ["conflicting_duplicate"] * 2


@pytest.mark.parametrize(("day", "session"), [(6, 8), (7, 8), (13, 16), (15, 16)])
def test_an_event_of_a_day_without_session_has_its_effect_on_the_next_one(day: int, session: int) -> None:
    """NYSE 2024: 6 and 13 January were Saturdays, Monday 15 January a holiday (Martin Luther King)."""
    opening = datetime(2024, 1, session, 14, 30, tzinfo=UTC)
    event = {"date": seconds(day, 14, 30)}
    paid = actions("dividends", event | {"amount": 0.5}).tables["corporate_action"].to_pylist()
    split = actions("splits", event | {"numerator": 7, "denominator": 1}).tables["corporate_action"].to_pylist()
    assert [(row["ex_date"], row["knowledge_time"]) for row in paid + split] == [(opening.date(), opening)] * 2


def test_an_event_before_the_first_session_that_is_known_is_of_none() -> None:
    """exchange_calendars knows Shanghai from 1990-12-03 on."""
    event = {"date": int(datetime(1985, 1, 4, 1, 30, tzinfo=UTC).timestamp()), "amount": 0.5}
    body = chart({"dividends": {"1": event}}, exchangeTimezoneName="Asia/Shanghai", exchangeName="SHH")
    body["chart"]["result"][0]["timestamp"] = [int(datetime(2024, 1, 3, 1, 30, tzinfo=UTC).timestamp())]
    found = read("yahoo_chart", body, symbol="EX", currency="USD", calendar="XSHG")
    assert (found.tables["corporate_action"].num_rows, reasons(found)) == (0, ["not_a_session"])


# ---------------------------------------------------------------- news


def article(published: str, more: str = "") -> str:
    """An item of RSS."""
    return f"<item><guid>{published}</guid><title>T</title><pubDate>{published}</pubDate>{more}</item>"


def times(found: Parsed) -> Sequence[tuple[datetime | None, datetime, str]]:
    """Publication, knowledge and its basis of each article."""
    names = ("published_at", "knowledge_time", "knowledge_basis")
    return [tuple(row[name] for name in names) for row in found.tables["article"].to_pylist()]


@pytest.mark.parametrize("stated", ["Sun, 22 Nov 2026 14:00:00 GMT", "Sun, 21 Nov 2027 12:00:00 GMT"])
def test_an_article_stamped_ahead_of_its_answer_was_known_when_the_answer_had_come(stated: str) -> None:
    """A wrong clock or zone of the publisher, or an embargo: its words are in the answer, and no later one may come."""
    other = article("Tue, 05 Mar 2024 21:05:00 GMT")
    at_five_past_nine = datetime(2024, 3, 5, 21, 5, tzinfo=UTC)
    for found in (rss(article(stated)), rss(article(stated), other)):
        assert reasons(found) == []
        assert times(found)[-1] == (None, NOW, "observed")
    edited = rss(article("Tue, 05 Mar 2024 21:05:00 GMT", f"<dcterms:modified>{stated}</dcterms:modified>"))
    assert times(edited) == [(at_five_past_nine, NOW, "observed")]


@pytest.mark.parametrize("stated", ["Mon, 01 Jan 0001 00:00:00 +0000", "Thu, 01 Jan 1970 00:00:00 GMT"])
def test_the_zero_of_a_clock_is_no_date(stated: str) -> None:
    """DateTime.MinValue of .NET and the epoch of Unix stand for a date that was not set."""
    for found in (rss(article(stated)), rss(article(stated), article("Tue, 05 Mar 2024 21:05:00 GMT"))):
        assert reasons(found) == []
        assert times(found)[-1] == (None, NOW, "observed")


def test_articles_all_dated_in_another_unit_are_refused_and_one_without_a_date_is_not() -> None:
    row: dict[str, Any] = {"title": "T", "authors": [], "categories": [], "modified_at": None}
    dated = row | {"article_id": "1", "published_at": seconds(3, 14)}
    for zero in (0, 1000 * seconds(3, 14)):
        body = json.dumps([dated, row | {"article_id": "2", "published_at": zero}]).encode()
        found = parse(wire_articles(), body, given={}, fetched_at=NOW)
        assert times(found) == [
            (datetime(2024, 1, 3, 14, tzinfo=UTC),) * 2 + ("stated",),
            (None, NOW, "observed"),
        ]
    milliseconds = json.dumps([dated | {"published_at": 1000 * seconds(3, 14)}]).encode()
    with pytest.raises(BodyRefused, match="time_in_the_future"):
        parse(wire_articles(), milliseconds, given={}, fetched_at=NOW)


# ---------------------------------------------------------------- times


@pytest.mark.parametrize(
    ("stated", "instant"),
    [
        ("2022-04-12T13:30:00.334320128Z", "2022-04-12T13:30:00.334321Z"),  # Databento, Alpaca: nanoseconds
        ("2022-04-12T13:30:00.334320000Z", "2022-04-12T13:30:00.334320Z"),
        ("2022-04-12T13:30:00.999999999Z", "2022-04-12T13:30:01Z"),
        ("2022-04-12T13:30:00.3343200001+02:00", "2022-04-12T11:30:00.334321Z"),
        ("2022-04-12t13:30:00z", "2022-04-12T13:30:00Z"),  # RFC 3339, 5.6: T and Z may be written in lower case
        ("2022-04-12T13:30:00.1234567890123x", None),
        ("2022-02-30T13:30:00.334320128z", None),
    ],
)
def test_an_instant_of_more_digits_is_the_next_microsecond(stated: str, instant: str | None) -> None:
    """RFC 3339 bounds no fraction; rounded up as dates of feeds are, so that nothing is known before it was."""
    rows = [
        {"trade_id": n, "time": time, "price": "1.0", "size": "1", "side": "buy"}
        for n, time in enumerate(("2022-04-12T13:30:00Z", stated))
    ]
    found = parse(
        load_protocol("coinbase_trades"), json.dumps(rows).encode(), given={"symbol": "BTC-USD"}, fetched_at=NOW
    )
    trades = {row["trade_id"]: row["event_time"] for row in found.tables["trade"].to_pylist()}
    assert trades.get("1") == (None if instant is None else datetime.fromisoformat(instant))
    assert reasons(found) == ["time_unreadable"] * (instant is None)
