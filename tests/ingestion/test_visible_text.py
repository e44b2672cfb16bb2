"""What a page's cells say is what its reader sees; what hides is said by HTML (hidden, details) and CSS 2.2."""

import time
from typing import Any

import pytest

from strades_pipelines.ingestion.html_reader import HtmlReader
from strades_pipelines.ingestion.parse import parse
from strades_pipelines.ingestion.verdicts import BodyRefused
from tests.ingestion.conftest import NOW
from tests.ingestion.protocols import CLOSE, SERIES, made

GIVEN = {"symbol": "X", "interval": "1d", "calendar": "24/7"}
NAMES = ("Date", "Open", "High", "Low", "Close", "Volume")
FIELDS: dict[str, Any] = {name.lower(): {"at": name, "remove": ","} for name in NAMES[1:5]}
FIELDS |= {"open_time": {"at": "Date", "unit": "date"}, "volume": {"at": "Volume", "remove": ",", "optional": True}}
OUTPUT = {"kind": "candle", "layout": "table", "rows": "//table", "fields": FIELDS, "knowledge": CLOSE}
PROTOCOL = made("one", {"format": "html", "scalars": SERIES, "outputs": [OUTPUT | {"earliest": "2000-01-01"}]})
ROW = "<td>2024-03-04<td>10<td>12<td>9<td>11"


def volumes(volume_cell: str, head: str = "", more: str = "") -> list[float | None]:
    """The volumes of a page whose one row ends with this cell; none where the row is rejected."""
    titles = "".join(f"<th>{name}</th>" for name in NAMES)
    page = f"<html><head>{head}</head><body><table><tr>{titles}<tr>{ROW}{volume_cell}</tr>{more}</table></body></html>"
    found = parse(PROTOCOL, page.encode(), given=GIVEN, fetched_at=NOW)
    return list(found.tables["candle"]["volume"].to_pylist())


@pytest.mark.parametrize(
    "hidden",
    [
        "<span hidden>7006</span>",
        "<span style='display:none'>7006</span>",
        "<span style='DISPLAY : None !important'>7006</span>",
        "<span style='visibility:hidden'>7006</span>",
        "<span style='opacity:0'>7006</span>",
        "<span style='font-size:0px'>7006</span>",
        "<span style='position:absolute;left:-9999px'>7006</span>",
        "<span class='sr-only'>7006</span>",
        "<b class='a visually-hidden'>7006</b>",
        "<span class='d-none'>7006</span>",
        "<script>7006</script><style>.x{top:1}</style><template>7006</template><!-- 7006 -->",
        "<details><summary></summary>7006</details>",
        "<div hidden><div><p>70<b>06</b></p></div></div>",
        "<sup><a href='#n1'>7</a></sup>",
        "<sup class='reference'>7</sup>",
        "<a class='footnote' href='#n1'>[7]</a>",
        "<a href='#fn7'>7</a>",
        "<sup>*</sup><sup>[a]</sup><sup>\u2020</sup><sup>[12]</sup><sup>(note 3)</sup>",
        "<a href='#_ftn7'>7</a>",
        "<span class='sortkey'>7006</span>",
        "<progress value=7 max=10>70</progress>",
        "<meter value=7 max=10>70</meter>",
        "<svg><desc>7</desc><defs><text>0</text></defs><metadata>6</metadata></svg>",
        "<math><annotation>7006</annotation></math>",
        "<span popover>7006</span>",
        "<object data='chart.svg'>7006</object>",
        "<noembed>70</noembed><noframes>06</noframes>",
        "<i class='uk-hidden'>7</i><i class='is-sr-only'>0</i><i class='cdk-visually-hidden'>0</i>",
        "<i class='govuk-visually-hidden'>7</i><i class='visuallyHidden'>0</i><i class='show-for-sr'>0</i>",
        "<i class='ui-helper-hidden-accessible'>7</i><i class='slds-assistive-text'>0</i><i class='ng-hide'>6</i>",
    ],
)
def test_hidden_text_and_footnote_marks_are_not_of_the_number(hidden: str) -> None:
    assert volumes(f"<td>{hidden}5,240,000</td>") == [5240000.0]
    assert volumes(f"<td>5,240,000{hidden}</td>") == [5240000.0]
    assert volumes(f"<td><i>5,2</i>40,{hidden}000</td>") == [None if "details" in hidden else 5240000.0]


@pytest.mark.parametrize(
    ("sheet", "shown"),
    [
        (".k{display:none}", False),
        ("/* a } */ td > .k, .other { color: red; visibility: hidden }", False),
        ("@media print{.k{display:none}}", True),
        ("@media (max-width: 600px){ .k{display:none} }", True),
        ("@media screen{ .k{display:none} }", False),
        ("@layer utilities { .k { display: none } }", False),
        (".k{display:none} td span.k{display:inline}", True),
        ("td span.k{display:inline} .k{display:none}", True),
        (".k{display:none !important} td span.k{display:inline}", False),
        (".k:hover{display:none} .k::before{display:none}", True),
        (".k:has(b){display:none} }} {{", True),
        (".k{position:absolute;width:1px;height:1px;overflow:hidden}", False),
        (".k{clip:rect(0 0 0 0)}", False),
        ("@media only screen{.k{display:none}}", False),
        ("@media print, screen{.k{display:none}}", False),
        ("@media not print{.k{display:none}}", False),
        ("@media not screen{.k{display:none}}", True),
        ("@media screen and (min-width:48em){.k{display:none}}", False),
        ("@media (width >= 48rem){.k{display:none}}", False),
        ("@media (max-width:47.9em), print{.k{display:none}}", True),
        ("@media (min-width:1.2.3px){.k{display:none}}", True),
        ("@media (prefers-color-scheme:dark){.k{display:none}}", True),
        ("@supports not (display:grid){.k{display:none}}", True),
        (".k{color:rgba(0,0,0,0)}", False),
        (".k{color:rgb(0 0 0 / 0%)}", False),
        (".k{color:rgb(0,0,0)}", True),
        (".k{color:#0000}", False),
        (".k{color:#000}", True),
        (".k{font:0/0 a}", False),
        (".k{font:0/0 a} td .k{font:bold 12px Arial}", True),
        (".k{margin-left:-9999px}", False),
        (".k{margin-left:-9999px} td .k{margin:0}", True),
        (".k{position:absolute;inset:0 auto auto -9999px}", False),
        (".k{transform:scale(0)}", False),
        (".k{transform:scale(0.5)}", True),
        (".k{clip-path:polygon(0 0,0 0,0 0)}", False),
        (".k{position:absolute;width:1px;height:1px;overflow:clip}", False),
        (".k{display:inline-block;width:0;height:0;overflow-x:hidden;overflow-y:hidden}", False),
        (".k{text-decoration:line-through}", False),
        (".k{visibility:hidden;visibility:inherit}", True),
    ],
)
def test_the_style_sheets_of_the_page_hide_by_the_rules_of_the_cascade(sheet: str, shown: bool) -> None:
    cell = "<td><span class='k'>7</span>5,240,000</td>"
    assert volumes(cell, head=f"<style>{sheet}</style>") == [75240000.0 if shown else 5240000.0]


@pytest.mark.parametrize(
    ("media", "shown"),
    [("screen, print", False), ("only screen", False), (" all ", False), ("print", True), ("(max-width: 9em)", True)],
)
def test_a_sheet_counts_where_its_media_are_a_large_screen(media: str, shown: bool) -> None:
    head = f"<style media='{media}'>.k{{display:none}}</style>"
    cell = "<td><span class='k'>7</span>5,240,000</td>"
    assert volumes(cell, head=head) == [75240000.0 if shown else 5240000.0]


def test_a_style_of_the_element_goes_before_the_sheet() -> None:
    head = "<style>.k{display:none}</style><style media='print'>td{display:none}</style>"
    assert volumes("<td><span class='k' style='display:inline'>7</span>5,240,000</td>", head=head) == [75240000.0]


@pytest.mark.parametrize("row", ["<tr hidden>", "<tr style='display:none'>", "<tbody class='d-none'><tr>"])
def test_hidden_rows_are_no_rows(row: str) -> None:
    assert volumes("<td>5", more=f"{row}{ROW}<td>6</tr>") == [5.0]


def test_a_hidden_cell_takes_up_no_column_and_an_invisible_one_does() -> None:
    assert volumes("<td hidden>7006</td><td>5") == [5.0]
    assert volumes("<td style='visibility:hidden'>7006</td>") == [None]  # nothing says that it has none


def test_of_two_tables_the_one_that_is_seen_is_read() -> None:
    tables = "<div class='d-none'><table><tr><td>1</table></div>"
    page = f"{tables}<table><tr>{''.join(f'<th>{name}' for name in NAMES)}<tr>{ROW}<td>5</table>"
    found = parse(PROTOCOL, page.encode(), given=GIVEN, fetched_at=NOW)
    assert found.tables["candle"]["volume"].to_pylist() == [5.0]


@pytest.mark.parametrize(
    "cell",
    [
        "10<sup>6</sup>",
        "198<sup>57</sup>",
        "5240<object>70</object>",
        "<div>5,240</div><div>000</div>",
        "5<br>240",
        "5,240<p>000</p>",
    ],
)
def test_what_no_reader_takes_for_one_number_is_unreadable(cell: str) -> None:
    """10 to the power of 6, cents set high, two lines: none of them is the number that the letters would give."""
    assert volumes(f"<td>{cell}</td>") == [None]  # the bar stays, without a volume


def test_elements_that_a_style_puts_on_lines_of_their_own_are_two_numbers() -> None:
    cell = "<td><span class='k'>5,240</span><span class='k'>000</span></td>"
    assert volumes(cell, head="<style>.k{display:block}</style>") == [None]


@pytest.mark.parametrize(
    "cell",
    [
        "198.<sup>57</sup>",
        "1.08<sup>45</sup>",
        "1.0845<sup>6</sup>",
        "5,240<sup>50</sup>",
        "12 <sup>3</sup>",
        "<b><i><u>198.</u></i></b><sup>57</sup>",
    ],
)
def test_digits_set_high_after_a_number_are_unreadable(cell: str) -> None:
    """Shops set cents high (198.57), brokers the pips of a rate (1.0845) and their tenths: so do footnotes."""
    assert volumes(f"<td>{cell}</td>") == [None]


def test_digits_set_high_after_a_word_are_a_footnotes_mark() -> None:
    page = b"<table><tr><td>Treasury <b>shares</b><sup>12</sup></table>"
    assert HtmlReader(PROTOCOL.read, page).scalar("//td") == "Treasury shares"


def test_one_digit_set_high_after_thousands_of_thousands_is_a_footnotes_mark() -> None:
    """Cents have two digits, and no rate has seven before its pips."""
    assert volumes("<td>5,240,000<sup>1</sup></td>") == [5240000.0]
    assert volumes("<td>5,240,000<sup>50</sup></td>") == [None]


# What a screen 1920 pixels wide shows, by the documentation of Tailwind, Bootstrap 3 to 5, Foundation, UIkit, Bulma.
TWINS = [
    ("md:hidden", "hidden md:inline"),
    ("inline 2xl:hidden", "hidden 2xl:!inline"),
    ("max-md:hidden md:hidden", "max-md:hidden print:hidden"),
    ("sr-only", "sr-only md:not-sr-only"),
    ("d-md-none", "d-none d-md-inline"),
    ("d-none d-sm-inline d-lg-none", "d-inline d-sm-none d-lg-inline"),
    ("visible-xs", "hidden-xs"),
    ("visible-xs-inline visible-sm-inline", "visible-md-inline visible-lg-inline"),
    ("hidden-md-up", "hidden-sm-down"),
    ("show-for-small-only", "hide-for-small-only"),
    ("hide-for-large", "show-for-large"),
    ("uk-hidden@m", "uk-visible@m"),
    ("is-hidden-tablet", "is-hidden-mobile"),
    ("mobile-only", "desktop-only"),
]


@pytest.mark.parametrize(("small", "large"), TWINS)
def test_of_twins_for_two_screens_the_one_for_the_large_screen_is_read(small: str, large: str) -> None:
    cell = f"<td><span class='{small}'>1.0K</span><span class='{large}'>998</span></td>"
    assert volumes(cell) == [998.0]


@pytest.mark.parametrize("name", ["overflow-hidden", "text-right", "table", "hidden-xs", "tooltip", "un-hidden", "s"])
def test_a_class_that_hides_nothing_on_a_large_screen_hides_nothing(name: str) -> None:
    assert volumes(f"<td><span class='{name}'>5,240</span></td>") == [5240.0]


def test_what_is_hidden_from_screen_readers_alone_is_read() -> None:
    cell = "<td><span aria-hidden='true'>5,240,000</span><span class='sr-only'>five million</span>"
    assert volumes(cell) == [5240000.0]


@pytest.mark.parametrize("sheet", [".a{display:none}" * 5001, f".b{{display:block}}{'.a,' * 5000}.a{{display:none}}"])
def test_a_page_with_more_selectors_than_can_be_weighed_is_refused(sheet: str) -> None:
    with pytest.raises(BodyRefused, match="at most 5000 selectors"):
        HtmlReader(PROTOCOL.read, f"<style>{sheet}</style>".encode())


LONG = 400_000
HOSTILE = {
    "comments that do not end": "/*" * LONG,
    "no rule": "a" * LONG,
    "blocks that do not end": "{" * LONG,
    "statements": ";" * LONG,
    "a long value": ".a{opacity:" + "0" * LONG + "x}",
    "rules that hide nothing": ".a{color:red}" * 30_000,
    "a deep selector": f".a{':not(' * 50_000}b{{display:none}}",
}


@pytest.mark.parametrize("sheet", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_style_sheet_takes_time_in_proportion_to_its_length(sheet: str) -> None:
    began = time.process_time()
    HtmlReader(PROTOCOL.read, f"<style>{sheet}</style><table></table>".encode())
    assert time.process_time() - began < 5  # a quadratic reader takes minutes
