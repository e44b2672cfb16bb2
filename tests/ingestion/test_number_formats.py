"""A comma is taken out of a number only where it stands for thousands."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.datamanager.protocols import ProtocolError
from strades_pipelines.ingestion.number_formats import plain_number
from strades_pipelines.ingestion.parse import parse
from strades_pipelines.ingestion.values import numbers
from tests.ingestion.conftest import NOW
from tests.ingestion.protocols import CLOSE, SERIES, made

GIVEN = {"symbol": "X", "interval": "1d", "calendar": "24/7"}
NUMBERS = st.decimals(min_value=-(10**12), max_value=10**12, places=4)


def read(text: str, *, remove: str = "", decimal: str = ".") -> float | None:
    """The number that a cell is read as; None where it is unreadable."""
    column = numbers([plain_number(text, remove=remove, decimal=decimal)])
    return None if column.bad[0] else float(column.values[0])


@given(NUMBERS)
def test_a_number_formatted_with_thousands_is_read_back(number: object) -> None:
    written = f"{number:,}"  # Python's own format, as a spreadsheet's #,##0.00
    assert read(written, remove=",") == float(str(number))
    swapped = written.translate(str.maketrans(",.", ".,"))
    assert read(swapped, decimal=",") == float(str(number))


@given(st.integers(1, 999), st.text("0123456789", max_size=8).filter(lambda digits: len(digits) != 3))
def test_a_comma_that_is_not_before_three_digits_is_never_read(whole: int, after: str) -> None:
    assert read(f"{whole},{after}", remove=",") is None


# The first is the price of IBM on 2012-03-05 as a page with decimal commas writes it.
@pytest.mark.parametrize(
    "text", ["198,57", "1,23,456", "12,34,567.00", "1234,567", "0,123", ",123", "1,234,", "1,,234"]
)
@pytest.mark.parametrize("after", ["", ".5"])
def test_what_is_not_written_in_thousands_is_unreadable(text: str, after: str) -> None:
    assert read(text + after, remove=",") is None


@pytest.mark.parametrize("text", ["1.234,567", "1,234e3", "1,234.567,890", "1'234,567", "--1,234"])
def test_a_number_has_one_kind_of_thousands_mark_and_none_after_the_point(text: str) -> None:
    assert read(text, remove=",'") is None


@pytest.mark.parametrize(
    ("text", "words", "number"),
    [
        ("$1,234.50", {"remove": "$,"}, 1234.5),
        ("-$1,234", {"remove": "$,"}, -1234.0),
        ("1'234'567.5", {"remove": "'"}, 1234567.5),
        ("1\u202f234,5 €", {"remove": "€ \u202f", "decimal": ","}, 1234.5),
        ("198,57", {"decimal": ","}, 198.57),
        ("1.234,5", {"decimal": ","}, 1234.5),
        ("1.234.567", {"decimal": ","}, 1234567.0),
    ],
)
def test_thousands_and_decimal_marks_are_those_of_the_protocol(text: str, words: dict[str, str], number: float) -> None:
    assert read(text, **words) == number


@pytest.mark.parametrize("text", ["198.57", "1.23", "1,234,567", "1,234.5", "0.123"])
def test_where_the_decimal_mark_is_a_comma_a_dot_stands_for_thousands_alone(text: str) -> None:
    assert read(text, decimal=",") is None


@pytest.mark.parametrize("format_", ["csv", "json", "html"])
def test_the_law_is_the_same_in_every_format(format_: str) -> None:
    """198,57 is rejected and 1,234.50 read, in a CSV, in texts of JSON and in a page."""
    names = ("time", "open", "high", "low", "close")
    rows = [["2024-03-04", *["198,57"] * 4], ["2024-03-05", *["1,234.50"] * 4]]
    where = {"csv": "", "json": "", "html": "//table"}[format_]
    fields: dict[str, Any] = {name: {"at": name, "remove": ","} for name in names}
    fields["open_time"] = {"at": fields.pop("time")["at"], "unit": "date"}
    output: dict[str, Any] = {
        "kind": "candle",
        "layout": "objects" if format_ == "json" else "table",
        "rows": where,
        "fields": fields,
    }
    output |= {"knowledge": CLOSE, "earliest": "2000-01-01"}
    protocol = made("one", {"format": format_, "scalars": SERIES, "outputs": [output]})
    cells = ["".join(f"<td>{cell}</td>" for cell in row) for row in [names, *rows]]
    body = {
        "csv": "\n".join([",".join(names), *(",".join(f'"{cell}"' for cell in row) for row in rows)]) + "\n",
        "json": str([dict(zip(names, row, strict=True)) for row in rows]).replace("'", '"'),
        "html": f"<table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>",
    }[format_]
    found = parse(protocol, body.encode(), given=GIVEN, fetched_at=NOW)
    assert [reject.reason for reject in found.rejects] == ["open_unreadable"]
    assert found.tables["candle"]["close"].to_pylist() == [1234.5]


def test_a_csv_with_decimal_commas_is_read_by_the_protocols_word() -> None:
    names = ("open", "high", "low", "close", "volume")
    fields: dict[str, Any] = {name: {"at": name, "decimal": ","} for name in names}
    fields["open_time"] = {"at": "date", "unit": "date"}
    output = {"kind": "candle", "layout": "table", "fields": fields, "knowledge": CLOSE, "earliest": "2000-01-01"}
    protocol = made("one", {"format": "csv", "delimiter": ";", "scalars": SERIES, "outputs": [output]})
    lines = ["date;open;high;low;close;volume", "2012-03-05;198,57;200,88;198,06;200,62;5.240.000"]
    lines.append("2012-03-06;198.75;199,39;197,36;197,77;1")
    found = parse(protocol, "\n".join([*lines, ""]).encode(), given=GIVEN, fetched_at=NOW)
    assert [(row["close"], row["volume"]) for row in found.tables["candle"].to_pylist()] == [(200.62, 5240000.0)]
    assert [reject.reason for reject in found.rejects] == ["open_unreadable"]


def test_a_protocol_cannot_remove_its_decimal_mark() -> None:
    fields = {name: {"at": name, "remove": "$.", "unit": "date"} for name in ("open", "high", "low", "close")}
    output = {"kind": "candle", "layout": "table", "fields": fields | {"open_time": {"at": "d", "unit": "date"}}}
    output |= {"knowledge": CLOSE, "earliest": "2000-01-01"}
    with pytest.raises(ProtocolError, match=r"fields\.open\.remove: expected not '\.'"):
        made("one", {"format": "csv", "scalars": SERIES, "outputs": [output]})
