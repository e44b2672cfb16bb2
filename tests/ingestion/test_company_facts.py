"""Facts of a company's reports: a restatement is known from the day it was filed, and what is repeated is no record."""

import json
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest

from strades_pipelines.datamanager.protocols import ProtocolError, load_protocol, make_protocol
from strades_pipelines.ingestion.loader import load_stored
from strades_pipelines.ingestion.parse import parse
from strades_pipelines.ingestion.verdicts import BodyRefused, Parsed
from strades_pipelines.settings import PROJECT
from tests.ingestion.conftest import store_body

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
APPLE = {"symbol": "0000320193", "venue": "sec", "calendar": "XNYS"}
# As data.sec.gov has them of Apple (companyfacts, read by others in 2026): the 10-K/A of January 2010 restated.
ASSETS = [
    {"end": "2008-09-27", "val": 39572000000, "accn": "0001193125-09-153165", "fy": 2009, "fp": "Q3", "form": "10-Q",
     "filed": "2009-07-22"},
    {"end": "2008-09-27", "val": 39572000000, "accn": "0001193125-09-214859", "fy": 2009, "fp": "FY", "form": "10-K",
     "filed": "2009-10-27"},
    {"end": "2008-09-27", "val": 36171000000, "accn": "0001193125-10-012091", "fy": 2009, "fp": "FY", "form": "10-K/A",
     "filed": "2010-01-25"},
    {"end": "2008-09-27", "val": 36171000000, "accn": "0001193125-10-238044", "fy": 2010, "fp": "FY", "form": "10-K",
     "filed": "2010-10-27", "frame": "CY2008Q3I"},
]  # fmt: skip
SHARES = [
    {"end": "2009-06-27", "val": 895816758, "accn": "0001193125-09-153165", "fy": 2009, "fp": "Q3", "form": "10-Q",
     "filed": "2009-07-22", "frame": "CY2009Q2I"},
    {"end": "2009-10-16", "val": 900678473, "accn": "0001193125-09-214859", "fy": 2009, "fp": "FY", "form": "10-K",
     "filed": "2009-10-27"},
]  # fmt: skip
SERIES = "SEC:0000320193:us-gaap:Assets:USD:instant"


def facts(concepts: dict[str, list[dict[str, Any]]], taxonomy: str = "us-gaap", unit: str = "USD") -> dict[str, Any]:
    """The facts of one taxonomy, all in one unit."""
    return {
        taxonomy: {name: {"label": name, "description": None, "units": {unit: rows}} for name, rows in concepts.items()}
    }


def body_of(found: dict[str, Any], cik: object = 320193) -> bytes:
    return json.dumps({"cik": cik, "entityName": "Apple Inc.", "facts": found}).encode()


def read(body: bytes) -> Parsed:
    return parse(load_protocol("sec_company_facts"), body, given=APPLE, fetched_at=NOW)


def rows(body: bytes) -> list[dict[str, Any]]:
    """The records of a body without rejects."""
    parsed = read(body)
    assert parsed.rejects == ()
    return list(parsed.tables["observation"].to_pylist())


def income(start: str, end: str, value: object, filed: str) -> dict[str, Any]:
    return {
        "start": start,
        "end": end,
        "val": value,
        "accn": "x",
        "fy": 2009,
        "fp": "Q3",
        "form": "10-Q",
        "filed": filed,
    }


def test_a_restatement_is_a_vintage_and_a_fact_that_is_repeated_is_none() -> None:
    found = rows(body_of(facts({"Assets": ASSETS[::-1]})))
    assert [(row["series"], row["unit"], row["value"], row["vintage"], row["knowledge_time"]) for row in found] == [
        (SERIES, "USD", 39572000000.0, date(2009, 7, 22), datetime(2009, 7, 23, 3, 59, tzinfo=UTC)),
        (SERIES, "USD", 36171000000.0, date(2010, 1, 25), datetime(2010, 1, 26, 4, 59, tzinfo=UTC)),  # winter
    ]
    assert {row["event_time"] for row in found} == {datetime(2008, 9, 27, tzinfo=UTC)}


def test_a_value_that_comes_back_is_a_vintage_of_its_own() -> None:
    back = ASSETS[0] | {"filed": "2011-10-26"}
    found = rows(body_of(facts({"Assets": [*ASSETS, back]})))
    assert [(row["value"], row["vintage"].year) for row in found] == [
        (39572000000.0, 2009), (36171000000.0, 2010), (39572000000.0, 2011),
    ]  # fmt: skip


def test_only_chosen_concepts_are_read_each_in_its_units_and_taxonomy() -> None:
    found = facts({"Assets": ASSETS, "AccountsPayableCurrent": ASSETS}) | facts(
        {"EntityCommonStockSharesOutstanding": SHARES}, "dei", "shares"
    )
    found["us-gaap"]["EarningsPerShareDiluted"] = {
        "units": {"USD/shares": [income("2009-03-29", "2009-06-27", 1.35, "2009-07-22")]}
    }
    assert {(row["series"], row["unit"]) for row in rows(body_of(found))} == {
        (SERIES, "USD"),
        ("SEC:0000320193:dei:EntityCommonStockSharesOutstanding:shares:instant", "shares"),
        ("SEC:0000320193:us-gaap:EarningsPerShareDiluted:USD/shares:P3M", "USD/shares"),
    }


@pytest.mark.parametrize(
    ("start", "period"),
    [
        ("2009-03-29", "P3M"),  # 13 weeks
        ("2009-03-22", "P3M"),  # 14 weeks
        ("2008-12-28", "P6M"),
        ("2008-09-28", "P9M"),
        ("2008-06-29", "P12M"),  # 52 weeks
        ("2008-06-22", "P12M"),  # 53 weeks
        ("2009-06-27", "P1D"),
    ],
)
def test_a_flow_is_a_series_for_each_length_of_period(start: str, period: str) -> None:
    [row] = rows(body_of(facts({"NetIncomeLoss": [income(start, "2009-06-27", 1229000000, "2009-07-22")]})))
    assert row["series"] == f"SEC:0000320193:us-gaap:NetIncomeLoss:USD:{period}"


def test_two_values_filed_on_one_day_and_periods_that_cannot_be_are_rejects() -> None:
    parsed = read(
        body_of(
            facts(
                {
                    "Assets": [*ASSETS[:2], ASSETS[1] | {"val": 1}],
                    "NetIncomeLoss": [
                        income("2009-06-28", "2009-06-27", 1, "2009-07-22"),
                        income("28 March", "2009-06-27", 1, "2009-07-22"),
                        income("2009-03-29", "2009-06-27", 1, "2026-12-01"),
                        income("2009-03-29", "2009-06-27", None, "2009-07-22"),
                    ],
                }
            )
        )
    )
    assert [(reject.reason, reject.where) for reject in parsed.rejects] == [
        ("conflicting_duplicate", "/facts/us-gaap/Assets/units/USD/1"),
        ("conflicting_duplicate", "/facts/us-gaap/Assets/units/USD/2"),
        ("period_ends_before_it_starts", "/facts/us-gaap/NetIncomeLoss/units/USD/0"),
        ("period_start_unreadable", "/facts/us-gaap/NetIncomeLoss/units/USD/1"),
        ("time_in_the_future", "/facts/us-gaap/NetIncomeLoss/units/USD/2"),
        ("value_missing", "/facts/us-gaap/NetIncomeLoss/units/USD/3"),
    ]
    assert parsed.tables["observation"]["value"].to_pylist() == [39572000000.0]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (body_of(facts({"Assets": ASSETS}), cik=789019), "expected symbol 0000320193, was 0000789019"),
        (body_of({"us-gaap": {"Assets": {"units": {"USD": {}}}}}), "array of rows at /facts/us-gaap/Assets/units/USD"),
        (body_of({"us-gaap": {"Assets": {"label": "x"}}}), "object at /facts/us-gaap/Assets/units, was missing"),
        (json.dumps({"cik": 320193, "fact": {}}).encode(), "object at /facts, was missing"),
        (body_of({"us-gaap": {"Assets": {"units": {"U" * 300: ASSETS}}}}), "expected a name of at most 200 letters"),
    ],
)
def test_a_body_of_another_company_or_shape_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(BodyRefused, match=said):
        read(body)


def test_names_of_keys_and_choices_fit_the_pointer() -> None:
    document = json.loads((PROJECT / "scrapers/protocols/sec_company_facts.json").read_text())
    [output] = document["read"]["outputs"]
    for wrong, said in (({"keys": ["concept"]}, "expected 3 names"), ({"choose": {"form": ["10-K"]}}, "was 'form'")):
        changed = {**document, "read": {**document["read"], "outputs": [output | wrong]}}
        with pytest.raises(ProtocolError, match=said):
            make_protocol(changed)


def test_what_was_known_of_a_period_at_a_date_is_what_had_been_filed(
    database_url: str, connection: psycopg.Connection[Any]
) -> None:
    given = {"protocol": "sec_company_facts", "source": "sec_facts", "given": APPLE}
    for day, filed in ((20, ASSETS[:2]), (21, ASSETS), (22, ASSETS)):
        at = datetime(2026, 11, day, tzinfo=UTC)
        store_body(
            database_url, body_of(facts({"Assets": filed})), fetched_at=at, request_key=f"facts {day}", **given  # type: ignore[arg-type]
        )  # fmt: skip
        load_stored(url=database_url, now=NOW)
    known = """
        SELECT value FROM records.observation_versions WHERE series = %s AND knowledge_time <= %s
        ORDER BY knowledge_time DESC LIMIT 1
    """
    for time, value in (
        ("2009-07-22T23:00:00Z", None),
        ("2009-07-23T04:00:00Z", 39572000000.0),
        ("2010-01-26T04:00:00Z", 39572000000.0),
        ("2010-01-26T05:00:00Z", 36171000000.0),
        ("2026-11-22T00:00:00Z", 36171000000.0),
    ):
        row = connection.execute(known, [SERIES, datetime.fromisoformat(time)]).fetchone()
        assert (row[0] if row else None) == value, time
    assert connection.execute("SELECT count(*) FROM records.observation_versions").fetchone() == (2,)
