"""Sources.json: what is good is typed, what is not is one line with the path of the key."""

import copy
import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from strades_pipelines.datamanager import sources
from strades_pipelines.datamanager.ask import Auth
from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.datamanager.sources import SourcesError, check_calendars, load_sources, missing_keys
from strades_pipelines.settings import PROJECT
from tests.datamanager.conftest import Write, document

W, F = "websites", "financial_instruments"


def changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """The valid document with one value changed; `...` removes the key."""
    spoiled = document()
    node = spoiled
    for key in path[:-1]:
        node = node[key]
    if value is ...:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return spoiled


def test_projects_own_sources_are_good() -> None:
    project = load_sources(PROJECT / "Sources.json")
    assert {website.name for website in project.websites} >= {"yahoo", "gateio", "ecb", "fred", "sec", "news"}
    categories = {website.category for website in project.websites}
    assert categories == {"news", "markets", "reports", "statistics", "states"}
    symbols = [instrument.symbol for instrument in project.instruments_of(project.website("yahoo"))]
    assert symbols == ["AAPL", "IBM", "MSFT", "GOOG", "FB"]
    bitcoin = project.instruments_of(project.website("gateio"))[0]
    assert (bitcoin.id, bitcoin.interval, bitcoin.tick_size) == ("001CC", "1m", Decimal("0.1"))


def test_times_are_utc_and_sizes_exact(write: Write) -> None:
    project = load_sources(write(changed((W, 0, "history_from"), "2024-01-01")))
    instrument, website = project.instruments[0], project.websites[0]
    assert (instrument.start_date, instrument.end_date) == (datetime(2015, 7, 1, tzinfo=UTC), None)
    assert instrument.lot_size == Decimal("0.00001")
    assert (website.venue, website.history_from) == ("gateio", datetime(2024, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ((W, 0, "schedule"), "*/15 * * *", r"websites\[0\].schedule: expected five fields .* was \"\*/15 \* \* \*\""),
        ((W, 0, "schedule"), "61 * * * *", r"websites\[0\].schedule: expected a minute of 0 to 59"),
        ((W, 0, "schedule"), "0 0 31 2 *", r"websites\[0\].schedule: expected a day that one of its months has"),
        (
            (W, 0, "protocol"),
            "gateio_candels",
            r"websites\[0\].protocol: expected one of .*gateio_candles.* was \"gateio_candels\"",
        ),
        ((W, 0, "category"), "gossip", r"websites\[0\].category: expected one of \"news\", .* was \"gossip\""),
        ((W, 0, "fonctionnel"), "yes", r"websites\[0\].fonctionnel: expected boolean, was \"yes\""),
        ((W, 0, "name"), "Gate io", r"websites\[0\].name: expected a name of lower case letters.* was \"Gate io\""),
        ((W, 0, "name"), "gateio\n", r"websites\[0\].name: expected printable text"),
        ((W, 0, "name"), "a'; DROP TABLE x; --", r"websites\[0\].name: expected a name"),
        ((W, 0, "title"), "x\u0000y", r"websites\[0\].title: expected printable text"),
        ((W, 0, "url"), "ftp://x/", r"websites\[0\].url: expected an http or https address"),
        ((W, 0, "url"), ..., r"websites\[0\]: expected the key 'url', was missing"),
        ((W, 0, "titel"), "x", r"websites\[0\]: expected no key \"titel\""),
        ((W, 0, "history_from"), "2024-02-30", r"websites\[0\].history_from: expected a day and time of the calendar"),
        (
            (W, 0, F),
            ["002CC"],
            r"websites\[0\].financial_instruments\[0\]: expected an id of financial_instruments, was \"002CC\"",
        ),
        (
            (W, 0, F),
            ["001CC", "001CC"],
            r"websites\[0\].financial_instruments\[1\]: expected a value that is there once",
        ),
        ((W, 0, F), [], r"websites\[0\].financial_instruments: expected at least one id for gateio_candles"),
        ((W,), {}, r"websites: expected array, was \{\}"),
        (
            (F, 0, "interval"),
            "2m",
            r"websites\[0\].financial_instruments\[0\]: expected .* interval of 1m, 5m.* was \"2m\"",
        ),
        ((F, 0, "interval"), "1M", r"financial_instruments\[0\].interval: expected a bar length"),
        (
            (F, 0, "start_date"),
            "2015-13-01T00:00:00",
            r"financial_instruments\[0\].start_date: expected a day and time",
        ),
        (
            (F, 0, "end_date"),
            "2015-06-30T00:00:00",
            r"financial_instruments\[0\].end_date: expected a time after start_date",
        ),
        ((F, 0, "end_date"), 5, r"financial_instruments\[0\].end_date: expected"),
        ((F, 0, "tick_size"), 0, r"financial_instruments\[0\].tick_size: expected minimum 1e-18, was 0"),
        ((F, 0, "tick_size"), "0.1", r"financial_instruments\[0\].tick_size: expected number, was \"0.1\""),
        ((F, 0, "symbol"), "BTC USDT", r"financial_instruments\[0\].symbol: expected the provider's symbol"),
        ((F, 0, "id"), "../x", r"financial_instruments\[0\].id: expected an id"),
    ],
)
def test_wrong_value_is_named_in_one_line(write: Write, path: tuple[Any, ...], value: Any, message: str) -> None:
    with pytest.raises(SourcesError, match=message) as error:
        load_sources(write(changed(path, value)))
    assert str(error.value).startswith("Sources.json: ")
    assert "\n" not in str(error.value)


def test_calendars_are_tried_for_the_year_and_one_that_is_none_is_named(write: Write) -> None:
    file = write(changed((F, 0, "calendar"), "XTKS"))
    check_calendars(load_sources(file), file, year=2026)
    with pytest.raises(SourcesError, match=r"^Sources.json: instrument \w+: calendar: expected .*, was 'XTKS'"):
        check_calendars(load_sources(file), file, year=1990)  # it is known since 1997
    file = write(changed((F, 0, "calendar"), "XNOWHERE"))
    with pytest.raises(SourcesError, match=r"^Sources.json: instrument \w+: calendar: expected .*, was 'XNOWHERE'"):
        check_calendars(load_sources(file), file, year=2026)


@pytest.mark.parametrize(
    "url",
    [
        "https://user:HIDDEN@example.org/feed",
        "https://HIDDEN@example.org",
        "https://example.org/feed?a=1&api_key=HIDDEN",
        "https://example.org/feed?accessToken=HIDDEN",
        "ftp://user:HIDDEN@example.org/feed",
        "https://[HIDDEN/feed",
    ],
)
def test_an_address_with_a_secret_is_refused_by_its_path_and_not_shown(write: Write, url: str) -> None:
    with pytest.raises(SourcesError, match=r"websites\[0\].url: expected an") as error:
        load_sources(write(changed((W, 0, "url"), url)))
    assert "HIDDEN" not in str(error.value)


def test_a_budget_is_five_minutes_where_none_is_named(write: Write) -> None:
    assert load_sources(write(document())).websites[0].budget_seconds == 300
    assert load_sources(write(changed((W, 0, "budget_seconds"), 20))).websites[0].budget_seconds == 20
    with pytest.raises(SourcesError, match=r"websites\[0\].budget_seconds: expected minimum 1, was 0"):
        load_sources(write(changed((W, 0, "budget_seconds"), 0)))


def test_a_key_that_is_not_set_is_warned_of(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load_protocol("gateio_candles")
    keyed = replace(loaded, ask=replace(loaded.ask, auth=Auth("header", "X-CMC", "NOWHERE_API_KEY")))
    listed = load_sources(write(document()))
    monkeypatch.setattr(sources, "load_protocol", lambda _: keyed)
    (line,) = missing_keys(listed)
    assert line.startswith("websites[0] (gateio), protocol gateio_candles: NOWHERE_API_KEY is not set: put the")
    monkeypatch.setenv("NOWHERE_API_KEY", "12345678")
    assert missing_keys(listed) == []


def test_website_name_that_is_there_twice_is_named(write: Write) -> None:
    spoiled = document()
    spoiled[W].append(copy.deepcopy(spoiled[W][0]))
    with pytest.raises(SourcesError, match=r"websites\[1\].name: .* was \"gateio\" again \(first at websites\[0\]\)"):
        load_sources(write(spoiled))


@pytest.mark.parametrize(
    ("interval", "lag_days", "expected"),
    [
        ("30d", None, 32),  # a month has up to 31 days, and is not out before its end
        ("30d", 31, 32),
        ("30d", 32, None),
        ("7d", 7, 8),
        ("7d", 8, None),
        ("90d", 92, 94),  # a quarter has up to 92
        ("365d", 366, 378),
        ("48h", 2, 3),
        ("24h", None, None),
        ("1d", 0, None),
        ("1h", None, None),
    ],
)
def test_a_statistic_is_not_known_before_its_interval_has_ended(
    write: Write, interval: str, lag_days: int | None, expected: int | None
) -> None:
    spoiled = document()
    statistic = {"id": "001ST", "symbol": "CPIAUCSL", "kind": "statistic", "interval": interval, "unit": "index"}
    spoiled[F].append({**spoiled[F][0], **statistic} | ({} if lag_days is None else {"lag_days": lag_days}))
    for key in ("currency", "tick_size", "lot_size"):
        del spoiled[F][1][key]
    if expected is None:
        assert load_sources(write(spoiled)).instruments[1].lag_days == lag_days
        return
    with pytest.raises(SourcesError) as error:
        load_sources(write(spoiled))
    said = "none" if lag_days is None else lag_days
    assert str(error.value).startswith(
        f"Sources.json: financial_instruments[1].lag_days: expected at least {expected}, was {said}: "
    )


@pytest.mark.parametrize("lag_days", [None, 7])
def test_a_daily_statistic_says_when_it_is_out(write: Write, lag_days: int | None) -> None:
    """The rates of the Federal Reserve's H.10 are of each day, and out on the Monday after their week."""
    spoiled = document()
    rate = {"id": "001ST", "symbol": "DEXUSEU", "kind": "statistic", "interval": "1d", "unit": "USD"}
    spoiled[F].append({**spoiled[F][0], **rate} | ({} if lag_days is None else {"lag_days": lag_days}))
    for key in ("currency", "tick_size", "lot_size"):
        del spoiled[F][1][key]
    spoiled[W].append({**spoiled[W][0], "name": "fred", "protocol": "fred_csv", "venue": "fred", F: ["001ST"]})
    if lag_days:
        assert load_sources(write(spoiled)).instruments[1].lag_days == 7
        return
    with pytest.raises(SourcesError, match=r"expected an instrument with lag_days, was .*001ST.* without"):
        load_sources(write(spoiled))


@pytest.mark.parametrize(
    ("kind", "currency", "is_refused"),
    [("equity", "GBP", True), ("etf", "GBX", True), ("equity", "ZAR", True), ("equity", "USD", False),
     ("crypto", "GBP", False)],
)  # fmt: skip
def test_shares_that_may_be_quoted_in_hundredths_need_a_protocol_that_says_the_unit(
    write: Write, kind: str, currency: str, is_refused: bool
) -> None:
    """A share at 695.5 pence on a page is no share at 695.5 pounds; Gate.io's pairs in pounds are in pounds."""
    spoiled = document()
    spoiled[F][0] |= {"kind": kind, "currency": currency}
    if not is_refused:
        assert load_sources(write(spoiled)).instruments[0].currency == currency
        return
    with pytest.raises(SourcesError, match=rf"expected a protocol that says the currency .* {currency} is quoted in"):
        load_sources(write(spoiled))


def test_two_series_of_a_listing_must_agree_on_it(write: Write) -> None:
    spoiled = document()
    spoiled[F].append({**spoiled[F][0], "id": "003CC", "interval": "1d", "tick_size": 0.5})
    spoiled[W][0][F].append("003CC")
    with pytest.raises(
        SourcesError, match=r"websites\[0\].financial_instruments\[1\]: expected tick_size .*0.1.* as in 001CC"
    ):
        load_sources(write(spoiled))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected JSON"),
        (b'{"websites": [],', "expected JSON"),
        (
            b'{"websites": [{"name": "a", "name": "b"}], "financial_instruments": []}',
            r"websites\[0\].name: expected each key once",
        ),
        (b'{"websites": [], "financial_instruments": [NaN]}', "bare word NaN"),
        (b"\xff\xfe", "expected UTF-8"),
        (b"[" * 100_000 + b"]" * 100_000, "nested"),
        (b"[" * 500 + b"]" * 500, "64 levels"),
        (b'{"websites": ' + b"9" * 5000 + b"}", "integers"),
        (b" " * 10_000_001, "at most 10000000 bytes"),
        (b'{"websites": [], "financial_instruments": [{"id": "\\ud800"}]}', "printable"),
    ],
)
def test_hostile_file_is_refused_in_one_line(write: Write, content: bytes, message: str) -> None:
    with pytest.raises(SourcesError, match=message) as error:
        load_sources(write(content))
    assert str(error.value).isprintable()


def test_missing_file_is_named(write: Write) -> None:
    with pytest.raises(SourcesError, match=r"absent.json: expected a readable file"):
        load_sources(write({}).with_name("absent.json"))


def test_unknown_website_is_named_with_those_there_are(write: Write) -> None:
    with pytest.raises(SourcesError, match=r"\(gateio\), was \"binance\""):
        load_sources(write(document())).website("binance")


PATHS = [
    (W,),
    (F,),
    (W, 0),
    (F, 0),
    *((W, 0, key) for key in document()[W][0]),
    *((F, 0, key) for key in document()[F][0]),
]
JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=6,
)


@given(st.sampled_from(PATHS), JUNK)
@example((W,), {"line\n\U00018cd6": math.inf})
@settings(max_examples=200, deadline=None)
def test_any_value_anywhere_is_taken_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, path: tuple[Any, ...], value: Any
) -> None:
    file = tmp_path_factory.mktemp("sources") / "Sources.json"
    file.write_text(json.dumps(changed(path, value)))
    message = "taken"
    try:
        load_sources(file)
    except SourcesError as error:
        message = str(error)
    assert message.isprintable()
