"""Bodies that no provider has sent yet: what they say is read right, refused or rejected, never wrong without a word.

Each right value is arithmetic or a standard, said beside it.
"""

import json
from datetime import UTC, date, datetime
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import pytest

from strades_pipelines.datamanager.protocols import ProtocolError, load_protocol
from strades_pipelines.ingestion.parse import parse
from strades_pipelines.ingestion.verdicts import BodyRefused, Parsed
from tests.ingestion.conftest import NOW
from tests.ingestion.protocols import CLOSE, SERIES, made
from tests.ingestion.test_visible_text import volumes

ATOM = "http://www.w3.org/2005/Atom"
SERVICES = "http://schemas.microsoft.com/ado/2007/08/dataservices"


def read(protocol: str, body: str | bytes | dict[str, Any], **given: str) -> Parsed:
    """What a body says to a protocol of the project."""
    written = json.dumps(body) if isinstance(body, dict) else body
    made_of = written.encode() if isinstance(written, str) else written
    return parse(load_protocol(protocol), made_of, given=given, fetched_at=NOW)


def reasons(found: Parsed) -> list[str]:
    """Why rows were rejected, or lost a field."""
    return [reject.reason for reject in found.rejects]


# ---------------------------------------------------------------- XML: ECB and Treasury


def rates(*cubes: tuple[str, str]) -> str:
    """The ECB's rates of 2024-06-26, by currency."""
    rows = "".join(f'<Cube currency="{currency}" rate="{rate}"/>' for currency, rate in cubes)
    names = (
        'xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref"'
    )
    return f'<gesmes:Envelope {names}><Cube><Cube time="2024-06-26">{rows}</Cube></Cube></gesmes:Envelope>'


def yields(properties: str, services: str = SERVICES) -> str:
    """A Treasury feed with one entry."""
    names = f'xmlns="{ATOM}" xmlns:d="{services}" xmlns:m="{services}/metadata"'
    return f"<feed {names}><entry><content><m:properties>{properties}</m:properties></content></entry></feed>"


def ten_years(value: str) -> Parsed:
    """A yield of ten years on 2024-01-02."""
    day = "<d:NEW_DATE>2024-01-02T00:00:00</d:NEW_DATE>"
    return read("treasury_yields", yields(f"{day}<d:BC_10YEAR>{value}</d:BC_10YEAR>"))


@pytest.mark.parametrize(
    "value", ["3.<!-- checked -->95", "3.<?note a?>95", " 3.95 ", "\n  3.95\n", "<![CDATA[3.95]]>"]
)
def test_a_number_of_xml_is_whole_whatever_stands_in_it_and_around_it(value: str) -> None:
    """Comments are no text (XML 1.0, 2.5), and white space around a number is collapsed (XML Schema 2, 4.3.6)."""
    assert ten_years(value).tables["observation"]["value"].to_pylist() == [3.95]


@pytest.mark.parametrize("value", ["3.<b>9</b>5", "3<i/>.95", "3,95", "3.95%", "(3.95)", "\u22123.95"])
def test_a_value_of_several_pieces_or_marks_is_no_number(value: str) -> None:
    found = ten_years(value)
    assert (found.tables["observation"].num_rows, reasons(found)) == (0, ["value_unreadable"])


def test_an_entry_of_yields_under_other_names_is_no_month_without_yields() -> None:
    """A month that has not begun has no entry; one whose elements were renamed must not count as answered."""
    day = "<d:NEW_DATE>2024-01-02T00:00:00</d:NEW_DATE>"
    for body in (
        yields(f"{day}<d:TC_10YEAR>3.95</d:TC_10YEAR>"),
        yields(f"{day}<d:BC_10YEAR>3.95</d:BC_10YEAR>", services=SERVICES.replace("2007", "2031")),
    ):
        with pytest.raises(BodyRefused, match=r"expected rows at .* was //atom:entry with others"):
            read("treasury_yields", body)
    assert read("treasury_yields", f'<feed xmlns="{ATOM}"/>').tables["observation"].num_rows == 0


def test_blanks_around_a_currency_make_no_other_series_of_it() -> None:
    found = read("ecb_fx_daily", rates((" USD", "1.0686"), ("JPY\u00a0", "171.1")))
    assert found.tables["observation"]["series"].to_pylist() == ["ECB:JPY", "ECB:USD"]


@pytest.mark.parametrize("name", ["usd", "USD*", "USD1", "US", "U.S.", "Dollar"])
def test_a_column_that_is_no_currency_code_is_no_series(name: str) -> None:
    """ISO 4217: three capital letters. A rate under the name `USD*` would be missing from ECB:USD without a word."""
    packed = BytesIO()
    with ZipFile(packed, "w") as archive:
        archive.writestr("eurofxref-hist.csv", f"Date,{name},JPY\n2024-06-26,1.0686,171.1\n")
    for found in (
        read("ecb_fx_history", packed.getvalue()),
        read("ecb_fx_daily", rates((name, "1.0"), ("JPY", "171.1"))),
    ):
        assert found.tables["observation"]["series"].to_pylist() == ["ECB:JPY"]
        assert reasons(found) == ["currency_unreadable"]


def test_a_pattern_that_is_none_is_named_when_its_protocol_loads() -> None:
    fields = {"event_time": {"at": "d", "unit": "date"}, "value": {"at": "v"}, "name": {"at": "n", "pattern": "[A-Z"}}
    output = {"kind": "observation", "layout": "table", "fields": fields, "texts": {"series": "{name}", "unit": "x"}}
    output |= {"knowledge": {"rule": "event", "basis": "stated"}, "earliest": "2000-01-01"}
    with pytest.raises(ProtocolError, match=r"fields\.name\.pattern: expected a regular expression"):
        made("one", {"format": "csv", "outputs": [output]})


# ---------------------------------------------------------------- FRED


def test_another_series_in_the_file_does_not_get_the_unit_and_delay_of_the_one_asked_for() -> None:
    """The index of January (CPIAUCSL) would be known on 3 January, and in percent."""
    body = "observation_date,DGS10,CPIAUCSL\n2024-01-02,3.95,308.742\n"
    found = read("fred_csv", body, symbol="DGS10", unit="percent")
    assert found.tables["observation"]["series"].to_pylist() == ["DGS10"]
    assert reasons(found) == ["another_symbol"]


# ---------------------------------------------------------------- EDGAR


def filing(**columns: Any) -> Parsed:
    """One filing; `columns` in the place of EDGAR's own."""
    recent = {"accessionNumber": "0000320193-24-000001", "primaryDocument": "a.htm", "form": "8-K"}
    recent |= {"primaryDocDescription": "8-K", "acceptanceDateTime": "2024-05-01T20:21:59.000Z"}
    recent |= {"reportDate": "2024-04-30"} | columns
    body = {"cik": "0000320193", "filings": {"recent": {name: [value] for name, value in recent.items()}}}
    return read("sec_submissions", body, symbol="0000320193")


@pytest.mark.parametrize("day", ["20240430", "0000-00-00", "2024-04-31", "30 April 2024", "n/a", 20240430])
def test_a_period_that_cannot_be_read_is_none_and_not_the_first_of_january_1970(day: object) -> None:
    found = filing(reportDate=day)
    assert found.tables["document"]["period_end"].to_pylist() == [None]
    assert reasons(found) == ["period_end_unreadable"]


def test_a_text_that_cannot_be_read_is_none_and_not_an_empty_one() -> None:
    [document] = filing(primaryDocDescription="x" * 300, primaryDocument="y" * 300).tables["document"].to_pylist()
    assert (document["title"], document["url"]) == (None, None)


# ---------------------------------------------------------------- Yahoo


def seconds(day: int, hour: int, minute: int = 0, month: int = 1) -> int:
    """An instant of 2024 in UTC."""
    return int(datetime(2024, month, day, hour, minute, tzinfo=UTC).timestamp())


def chart(events: dict[str, Any] | None = None, **meta: Any) -> dict[str, Any]:
    """A bar of 2024-01-03 in New York, and events."""
    said = {"symbol": "EX", "currency": "USD", "exchangeName": "NYQ", "dataGranularity": "1d"}
    said |= {"exchangeTimezoneName": "America/New_York"} | meta
    quote = {"open": [100.0], "high": [102.0], "low": [99.0], "close": [101.0], "volume": [1000]}
    result: dict[str, Any] = {"meta": said, "timestamp": [seconds(3, 14, 30)], "indicators": {"quote": [quote]}}
    return {"chart": {"result": [result | ({"events": events} if events else {})], "error": None}}


def actions(kind: str, event: dict[str, Any]) -> Parsed:
    """What an event of a listing in dollars becomes."""
    return read("yahoo_chart", chart({kind: {"1": event}}), symbol="EX", currency="USD")


@pytest.mark.parametrize("currency", ["", "\u0000", "x" * 300, {"code": "CAD"}, 7.5])
def test_an_amount_in_an_unreadable_currency_is_not_taken_for_the_listings(currency: object) -> None:
    found = actions("dividends", {"date": seconds(3, 14, 30), "amount": 0.5, "currency": currency})
    assert found.tables["corporate_action"].num_rows == 0
    assert reasons(found) == ["currency_unreadable"]


@pytest.mark.parametrize("kind", ["dividends", "capitalGains"])
def test_what_is_paid_out_keeps_the_currency_that_it_states(kind: str) -> None:
    found = actions(kind, {"date": seconds(3, 14, 30), "amount": 0.5, "currency": " CAD"})
    [action] = found.tables["corporate_action"].to_pylist()
    assert (action["amount"], action["currency"]) == (0.5, "CAD")


def test_a_dividend_labelled_with_midnight_in_utc_is_not_of_the_day_before() -> None:
    """00:00Z of 3 January is 19:00 of 2 January in New York, where the session closed at 16:00: known a day early."""
    found = actions("dividends", {"date": seconds(3, 0), "amount": 0.5})
    assert (found.tables["corporate_action"].num_rows, reasons(found)) == (0, ["not_a_session"])
    at_noon = actions("dividends", {"date": seconds(3, 17), "amount": 0.5})
    assert at_noon.tables["corporate_action"]["ex_date"].to_pylist() == [date(2024, 1, 3)]


def test_a_dividend_of_next_month_does_not_cost_the_bars_of_the_year() -> None:
    """Companies declare dividends weeks before the ex-date; the body was refused whole until then."""
    december = int(datetime(2026, 12, 18, 14, 30, tzinfo=UTC).timestamp())  # four weeks after NOW
    found = actions("dividends", {"date": december, "amount": 0.5})
    assert found.tables["candle"].num_rows == 1
    assert reasons(found) == ["time_in_the_future"]
    with pytest.raises(BodyRefused, match="time_in_the_future"):  # milliseconds are another unit
        actions("dividends", {"date": seconds(3, 14, 30) * 1000, "amount": 0.5})


@pytest.mark.parametrize(
    ("listed", "is_read"), [("GBP", False), ("ZAc", False), ("ILS", False), ("USD", True), ("EUR", True)]
)
def test_a_body_without_its_currency_is_refused_where_shares_are_quoted_in_two_units(
    listed: str, is_read: bool
) -> None:
    """Of a delisted share Yahoo says `"currency": null`: 695.5 may be pounds or pence, a hundred times less."""
    body = chart(currency=None)
    if is_read:
        assert read("yahoo_chart", body, symbol="EX", currency=listed).tables["candle"]["close"].to_pylist() == [101.0]
    else:
        with pytest.raises(BodyRefused, match=rf"{listed} is quoted in hundredths too"):
            read("yahoo_chart", body, symbol="EX", currency=listed)


# ---------------------------------------------------------------- Gate.io


@pytest.mark.parametrize("volume", ["1e17", 2**53, "9" * 40, "1,000", "NaN"])
def test_a_volume_that_cannot_be_read_costs_no_bar(volume: str | int) -> None:
    """Prices of a day are right whatever its sums are; a coin quoted at 1e-10 trades 1e17 a day."""
    row = ["1763200020", "5", "101", "102", "99", "100", volume, "true"]
    found = read("gateio_candles", json.dumps([row]), symbol="X_Y", interval="1m")
    [bar] = found.tables["candle"].to_pylist()
    assert (bar["close"], bar["volume"]) == (101.0, None)
    assert reasons(found) == ["volume_unreadable"]


# ---------------------------------------------------------------- pages


def page(*rows: str, headings: str = "Date Open High Low Close Volume") -> str:
    """A page of prices; cells parted by blanks."""
    lines = [f"<tr>{''.join(f'<th>{name}</th>' for name in headings.split())}</tr>"]
    lines += [f"<tr>{''.join(f'<td>{cell}</td>' for cell in row.split())}</tr>" for row in rows]
    return f"<table id=quotes>{''.join(lines)}</table>"


def test_a_comma_that_is_a_decimal_mark_elsewhere_in_its_column_stands_for_no_thousands() -> None:
    """A page that leaves out trailing zeros: 198,575 dollars beside 198,6 is no price of 198575."""
    decimals = "198,575 198,580 198,560 198,571 5"
    found = read("html_table", page(f"2012-03-05 {decimals}", "2012-03-06 198,6 198,7 198,5 198,6 5"), symbol="IBM")
    assert found.tables["candle"].num_rows == 0
    below_one = page("2012-03-05 1,002 1,003 1,001 1,002 5", "2012-03-06 0,985 0,990 0,980 0,985 5")
    assert read("html_table", below_one, symbol="IBM").tables["candle"].num_rows == 0


def test_a_point_that_stands_for_thousands_elsewhere_in_its_column_is_no_decimal_mark() -> None:
    """5.240 beside 5.240.000 is a volume of 5240, not of 5.24."""
    found = read("html_table", page("2012-03-05 1 2 1 2 5.240", "2012-03-06 1 2 1 2 5.240.000"), symbol="IBM")
    assert found.tables["candle"]["volume"].to_pylist() == [None, None]
    assert reasons(found) == ["volume_unreadable"] * 2


def test_a_doubtful_mark_costs_none_of_the_numbers_that_have_one_meaning() -> None:
    rows = ("2012-03-05 1,198.50 1,199.00 1,198.00 1,198.57 5,240,000", "2012-03-06 198,57 199 198 198.6 998")
    found = read("html_table", page(*rows), symbol="IBM")
    assert [(row["open"], row["volume"]) for row in found.tables["candle"].to_pylist()] == [(1198.5, 5240000.0)]


def test_two_columns_of_one_heading_are_not_told_apart() -> None:
    with pytest.raises(BodyRefused, match="expected one column Close"):
        read(
            "html_table", page("2012-03-05 1 2 1 2 1 5", headings="Date Open High Low Close Close Volume"), symbol="IBM"
        )


def test_a_page_cut_behind_a_table_within_a_cell_is_refused() -> None:
    whole = page("2012-03-05 1 2 1 2 <table><tr><td>5</td></tr></table>", "2012-03-06 1 2 1 2 5240000")
    given = {"symbol": "IBM"}
    assert read("html_table", whole, **given).tables["candle"].num_rows == 2
    inner = whole.index("</table>") + len("</table>")
    for cut in (inner, whole.index("5240000") + 3, len(whole) - len("</table>")):
        with pytest.raises(BodyRefused, match="ends within a table"):
            read("html_table", whole[:cut], **given)


@pytest.mark.parametrize(
    "cell", ["<del>900</del>5240", "<s>900</s>5240", "<strike>9</strike>5240", "<ruby>5240<rt>1</rt></ruby>"]
)
def test_what_is_struck_out_or_written_above_is_not_of_the_number(cell: str) -> None:
    """HTML 4.7.2: `del` is what was removed from the document."""
    assert volumes(f"<td>{cell}</td>") == [5240.0]
    assert volumes("<td><s>900</s></td>") == [None]


def test_a_digit_set_low_makes_the_cell_no_number() -> None:
    assert volumes("<td>5240<sub>1</sub></td>") == volumes("<td><sub>1</sub>5240</td>") == [None]
    assert volumes("<td>5240<sub></sub></td>") == [5240.0]


def test_numbers_of_other_scripts_signs_and_fractions_are_unreadable() -> None:
    for cell in (
        "\uff15\uff12\uff14\uff10",
        "\u0665\u0662\u0664\u0660",
        "5240½",
        "5\u200b240",
        "\u202a5240\u202c",
        "5240 (1)",
        "1e400",
        "9" * 40,
        "5 240,5",
    ):
        assert volumes(f"<td>{cell}</td>") == [None], cell


# ---------------------------------------------------------------- feeds


def rss(*items: str) -> Parsed:
    """A feed of items."""
    names = 'xmlns:dcterms="http://purl.org/dc/terms/"'
    return read("feed", f'<rss version="2.0" {names}><channel><title>t</title>{"".join(items)}</channel></rss>')


def item(title: str, date: str, more: str = "") -> str:
    """An item of one and the same guid."""
    return f"<item><guid>n1</guid><title>{title}</title><pubDate>{date}</pubDate>{more}</item>"


def test_of_an_article_that_a_feed_has_twice_the_edited_words_stand_and_are_known_from_the_edit() -> None:
    old, new = item("Cut", "Tue, 05 Mar 2024 21:05:00 GMT"), item("No cut", "Wed, 06 Mar 2024 10:00:00 GMT")
    for found in (rss(old, new), rss(new, old)):
        [article] = found.tables["article"].to_pylist()
        assert (article["title"], article["knowledge_time"]) == ("No cut", datetime(2024, 3, 6, 10, tzinfo=UTC))
        assert reasons(found) == ["superseded_in_the_body"]
    same_time = rss(old, item("No cut", "Tue, 05 Mar 2024 21:05:00 GMT"))
    assert (same_time.tables["article"].num_rows, reasons(same_time)) == (0, ["conflicting_duplicate"] * 2)


def test_words_that_became_available_later_were_not_known_when_they_are_said_to_be_published() -> None:
    """dcterms:available: the date that the resource became or will become available."""
    later = "<dcterms:available>2024-03-06T09:00:00-05:00</dcterms:available>"
    [article] = rss(item("Embargo", "Tue, 05 Mar 2024 21:05:00 GMT", later)).tables["article"].to_pylist()
    assert article["knowledge_time"] == datetime(2024, 3, 6, 14, tzinfo=UTC)
    assert article["published_at"] == datetime(2024, 3, 5, 21, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "title", ["if a<b then sell", "x <i", "spread <s 5 bp", "5 <6 but 7> 3", "Nikkei <.N225> falls"]
)
def test_what_no_bracket_ends_is_no_markup(title: str) -> None:
    """HTML 13.1.2.1: a start tag ends with `>`."""
    [article] = rss(item(f"<![CDATA[{title}]]>", "Tue, 05 Mar 2024 21:05:00 GMT")).tables["article"].to_pylist()
    assert article["title"] == title


@pytest.mark.parametrize(
    "stated",
    [
        "Tue, 05 Mar 2024 24:00:00 GMT",
        "Sat, 31 Dec 2016 23:59:60 GMT",
        "2024-065T21:05:00Z",
        "2024-W10-2T21:05:00Z",
        "20240305T210500Z",
        "1709672700",
        "Tue, 05 Mar 2024 9:05 PM GMT",
        "mar., 05 mars 2024 21:05:00 GMT",
        "2024-03-05",
    ],
)
def test_a_date_of_no_standard_of_feeds_is_never_early(stated: str) -> None:
    [article] = rss(item("T", stated)).tables["article"].to_pylist()
    assert (article["published_at"], article["knowledge_time"]) == (None, NOW)


# ---------------------------------------------------------------- every reader


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_body_in_another_encoding_is_read_right_or_refused(encoding: str) -> None:
    bodies = {
        "gateio_candles": '[["1763200020","5","101","102","99","100","1","true"]]',
        "fred_csv": "observation_date,DGS10\n2024-01-02,3.95\n",
        "html_table": f"<html><body>{page('2012-03-05 1 2 1 2 5')}</body></html>",
    }
    for name, body in bodies.items():
        given = {
            "symbol": "IBM" if name == "html_table" else "DGS10",
            "interval": "1d" if name == "html_table" else "1m",
        }
        try:
            found = read(name, body.encode(encoding), **given)
        except BodyRefused:
            continue
        assert [table.num_rows for table in found.tables.values()] == [1]
        assert "close" not in found.tables or found.tables["candle"]["close"].to_pylist() == [2.0]


def test_fields_of_a_csv_with_another_number_of_columns_are_rejected_with_their_line() -> None:
    names = ("open", "high", "low", "close")
    fields: dict[str, Any] = {name: {"at": name} for name in names} | {"open_time": {"at": "d", "unit": "date"}}
    output = {"kind": "candle", "layout": "table", "fields": fields, "knowledge": CLOSE, "earliest": "2000-01-01"}
    protocol = made("one", {"format": "csv", "scalars": SERIES, "outputs": [output]})
    body = "\ufeffd,open,high,low,close\r\n2024-01-02,1,2,1,2\r\n2024-01-03,1,2,1\r\n2024-01-04,1,2,1,2,\r\n"
    found = parse(protocol, body.encode(), given={"symbol": "X", "interval": "1d"}, fetched_at=NOW)
    assert found.tables["candle"].num_rows == 1
    assert [(reject.reason, reject.where) for reject in found.rejects] == [
        ("wrong_number_of_columns", "row 2"), ("wrong_number_of_columns", "row 3"),
    ]  # fmt: skip
