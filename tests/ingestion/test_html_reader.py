"""Pages are decoded as by browsers (WHATWG encodings, table rules of HTML); a page that cannot be is refused."""

import pytest

from strades_pipelines.ingestion.html_reader import HtmlReader
from strades_pipelines.ingestion.parse import parse
from strades_pipelines.ingestion.verdicts import BodyRefused
from tests.ingestion.conftest import NOW
from tests.ingestion.protocols import SERIES, made
from tests.ingestion.test_visible_text import GIVEN, NAMES, OUTPUT, PROTOCOL

LINE = "<td>10<td>12<td>9<td>11<td>5240"
HEADINGS = f"<tr>{''.join(f'<th>{name}' for name in (*NAMES, 'Note'))}</tr>"


def read(page: str | bytes) -> list[float | None]:
    """The volumes of a page."""
    body = page if isinstance(page, bytes) else page.encode()
    return list(parse(PROTOCOL, body, given=GIVEN, fetched_at=NOW).tables["candle"]["volume"].to_pylist())


def three_days(note: bytes, head: bytes) -> bytes:
    """A page of three rows, a note in the first."""
    rows = [
        f"<tr><td>2024-03-0{day}{LINE}<td>".encode() + (note if day == 4 else b"") + b"</td></tr>" for day in (4, 5, 6)
    ]
    return b"<head>" + head + b"</head><table>" + HEADINGS.encode() + b"".join(rows) + b"</table>"


# Browsers decode many charset labels by a larger encoding than the label names, gb2312 by GBK say
# (https://encoding.spec.whatwg.org, names and labels). Each row: a label, the bytes of a character that only the
# larger encoding has, and the text that browsers show for them; None: U+FFFD.
LETTERS = [
    ("Shift_JIS", b"\x87\x8a", "\u3231"),
    ("x-sjis", b"\x87\x40", "\u2460"),
    ("gb2312", b"\xe9F", "\u9555"),
    ("GBK", b"\x816", "\ufffd6"),
    ("big5", b"\xa3\xe1", "\u20ac"),
    ("big5", b"\xf9\xd6", "\u7881"),
    ("euc-kr", b"\x8cc", "\ub620"),
    ("ks_c_5601-1987", b"\x8cc", "\ub620"),
    ("iso-8859-1", b"\x80", "\u20ac"),
    ("us-ascii", b"\x92", "\u2019"),
    ("windows-1252", b"\x9d", None),
    ("iso-8859-9", b"\x80", "\u20ac"),
    ("iso-8859-7", b"\xae", None),
    ("EUC-JP", b"\xad\xa1", "\ufffd\ufffd"),  # Python's codec lacks this character: unreadable, but no row is lost
    ("utf-16", "\u3231".encode(), "\u3231"),
    ("utf-7", b"+ADw-td+AD4-", "+ADw-td+AD4-"),
    ("nonsense", "\u20ac".encode(), "\u20ac"),
    ("utf-8", b"\xe9", None),
]


@pytest.mark.parametrize(("label", "letters", "seen"), LETTERS)
def test_a_page_is_decoded_as_by_browsers_and_no_character_loses_a_row(
    label: str, letters: bytes, seen: str | None
) -> None:
    metas = (f'<meta charset="{label}">', f"<meta http-equiv=Content-Type content='text/html; charset={label}'>")
    for meta in metas:
        page = three_days(letters, meta.encode())
        assert read(page) == [5240.0, 5240.0, 5240.0]
        assert HtmlReader(PROTOCOL.read, page).scalar("//tr[2]/td[7]") == (seen or "\ufffd")


def test_a_charset_within_a_comment_is_ignored() -> None:
    head = b"<!-- <meta charset=utf-16> --><!-- <meta charset=koi8-r> --><meta charset=windows-1251>"
    assert HtmlReader(PROTOCOL.read, three_days(b"\xd1", head)).scalar("//tr[2]/td[7]") == "\u0421"


def test_an_undecodable_character_within_a_number_makes_it_null() -> None:
    page = f"<head><meta charset=shift_jis></head><table>{HEADINGS}<tr><td>2024-03-04{LINE}?<td></table>"
    assert read(page.encode().replace(b"5240?", b"52\xff40")) == [None]


@pytest.mark.parametrize("label", ["hz-gb-2312", "iso-2022-kr", "ISO-2022-CN"])
def test_an_encoding_in_which_text_can_look_like_tags_is_refused(label: str) -> None:
    """Browsers show no such page either (WHATWG: encoding `replacement`)."""
    with pytest.raises(BodyRefused, match="encoding"):
        read(three_days(b"", f"<meta charset={label}>".encode()))


def test_a_page_nested_deeper_than_the_parser_reads_is_refused_and_not_truncated() -> None:
    with pytest.raises(BodyRefused, match="xcessive depth"):
        read(three_days(b"<span>" * 260, b""))


def rows(before: str, cell: str, after: str = "") -> str:
    """A table of three rows: `before`, the cells of a day, a last cell that begins with `cell`, `after`."""
    days = "".join(f"{before}<td>2024-03-0{day}{LINE}<td>{cell}{after}" for day in (4, 5, 6))
    return f"<table>{HEADINGS}{days}</table>"


@pytest.mark.parametrize("tag", ["font", "b", "span", "i", "a"])
def test_rows_within_a_cell_are_refused_and_not_lost(tag: str) -> None:
    """HTML 13.2.6.4.15 ends the cell there; libxml2 nests each row in the last cell of the row before."""
    with pytest.raises(BodyRefused, match="end tags"):
        read(rows("<tr>", f"<{tag}>x"))
    assert read(rows("<tr>", f"<{tag}>x", "</td></tr>")) == [5240.0] * 3
    assert read(rows("<tr>", "x")) == [5240.0] * 3


@pytest.mark.parametrize("page", [rows("<a href=x><tr>", "x", "</tr></a>"), rows("", "x", "</tr>")])
def test_rows_and_cells_out_of_place_are_refused_and_not_lost(page: str) -> None:
    with pytest.raises(BodyRefused, match="end tags"):
        read(page)
    with pytest.raises(BodyRefused, match="end tags"):
        read(page.replace(HEADINGS, f"{HEADINGS}<div>").replace("</table>", "</div></table>"))


def test_a_table_within_a_cell_belongs_to_that_cell() -> None:
    protocol = made(
        "one",
        {
            "format": "html",
            "scalars": SERIES,
            "outputs": [OUTPUT | {"rows": "/html/body/table", "earliest": "2000-01-01"}],
        },
    )
    page = rows("<tr>", "<table><a><tr><td>x</tr></a></table>").encode()
    assert parse(protocol, page, given=GIVEN, fetched_at=NOW).tables["candle"].num_rows == 3
