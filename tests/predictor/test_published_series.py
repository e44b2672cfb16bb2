"""What features read of series and articles: every version as it was known, and who is mentioned."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.analysis.tone import NEGATIVE, POSITIVE, mention, mentions, tone
from strades_pipelines.database.bulk import load
from strades_pipelines.ingestion.loader import load_stored
from strades_pipelines.predictor.article_versions import read_articles
from strades_pipelines.predictor.published_series import read_published
from tests.dbt_project.seeding import listing
from tests.ingestion.conftest import store_body

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

DAY = datetime(2024, 1, 2, tzinfo=UTC)
END = DAY + timedelta(days=60)


def observe(adbc: "Connection", value: float, known_at: datetime, recorded_at: datetime) -> None:
    """The VIX of DAY, as it was recorded at a time."""
    row: dict[str, Any] = {"series": "VIXCLS", "event_time": DAY, "value": value, "unit": "index", "fetch_id": 1}
    row |= {"knowledge_time": known_at, "knowledge_basis": "stated", "recorded_at": recorded_at}
    with adbc.cursor() as cursor:
        load(
            cursor, "records.observations", pa.Table.from_pylist([row]), key=("series", "event_time"), now=recorded_at,
            revisions="records.observation_revisions",
        )  # fmt: skip
    adbc.commit()


def article(adbc: "Connection", number: int, title: str, *, known_at: datetime, recorded_at: datetime) -> None:
    """An article, as it was recorded at a time."""
    row: dict[str, Any] = {"source": "s", "article_id": str(number), "title": title, "fetch_id": 1}
    row |= {"knowledge_time": known_at, "published_at": known_at, "knowledge_basis": "stated"}
    row |= {"authors": "{}", "categories": "{}", "recorded_at": recorded_at}
    with adbc.cursor() as cursor:
        load(
            cursor, "records.articles", pa.Table.from_pylist([row]), key=("source", "article_id"), now=recorded_at,
            revisions="records.article_revisions",
        )  # fmt: skip
    adbc.commit()


def test_revised_value_keeps_its_first_version_until_the_second_was_known(adbc: "Connection") -> None:
    observe(adbc, 20.0, DAY, DAY)
    observe(adbc, 21.0, DAY + timedelta(days=9), DAY + timedelta(days=9))
    with adbc.cursor() as cursor:
        series = read_published(cursor, until=END)
        assert series["VIXCLS"].value.tolist() == [20.0, 21.0]
        assert read_published(cursor, until=DAY)["VIXCLS"].value.tolist() == [20.0]
        assert len(series["DGS10"].value) == 0


def test_correction_of_a_source_is_known_from_the_answer_that_shows_it(adbc: "Connection", database_url: str) -> None:
    """FRED gives the newest figure only, and by its rule would have given it on the day itself."""
    shown = [datetime(2024, 1, 10, 12, tzinfo=UTC), datetime(2024, 3, 4, 12, tzinfo=UTC)]
    for at, value in zip(shown, (b"20.0", b"21.0"), strict=True):
        body = b"observation_date,VIXCLS\n2024-01-02,%s\n2024-01-03,22.0\n" % value
        store_body(
            database_url, body, protocol="fred_csv", source="fred", given={"symbol": "VIXCLS", "unit": "index"},
            fetched_at=at, answered_at=at + timedelta(minutes=1),
        )  # fmt: skip
        load_stored(url=database_url, now=at + timedelta(minutes=1))
    with adbc.cursor() as cursor:
        series = read_published(cursor, until=datetime(2024, 6, 1, tzinfo=UTC))["VIXCLS"]
    assert series.value.tolist() == [20.0, 21.0, 22.0]
    # 16:15 in New York on the session after, as the protocol says; the correction when it had come.
    assert [str(at) for at in series.knowledge_time.astype("M8[m]")] == [
        "2024-01-03T21:15", "2024-03-04T12:01", "2024-01-04T21:15",
    ]  # fmt: skip


def test_value_parsed_anew_takes_the_place_of_the_wrong_one(adbc: "Connection") -> None:
    observe(adbc, 2000.0, DAY, DAY)
    observe(adbc, 20.0, DAY, DAY + timedelta(days=9))
    with adbc.cursor() as cursor:
        assert read_published(cursor, until=END)["VIXCLS"].value.tolist() == [20.0]


def test_of_a_series_what_the_first_decision_looks_back_on_is_read_and_all_that_is_later(adbc: "Connection") -> None:
    known = {"unit": "index", "fetch_id": 1, "knowledge_basis": "stated", "series": "VIXCLS"}
    days = [DAY + timedelta(days=number) for number in range(60)]
    rows = [known | {"event_time": day, "knowledge_time": day, "value": float(place)} for place, day in enumerate(days)]
    key, revisions = ("series", "event_time"), "records.observation_revisions"
    with adbc.cursor() as cursor:
        load(cursor, "records.observations", pa.Table.from_pylist(rows), key=key, now=DAY, revisions=revisions)
        # Whole windows of 21 publications for a decision on day 40: days 20 to 40.
        read = read_published(cursor, start=days[40], until=days[50])["VIXCLS"].value
        assert read.tolist() == [float(number) for number in range(20, 51)]
        # Day 30 was revised: the version of then may have been known later, so one more day is read.
        again = [rows[30] | {"value": 99.0}]
        load(cursor, "records.observations", pa.Table.from_pylist(again), key=key, now=END, revisions=revisions)
        assert read_published(cursor, start=days[40], until=days[50])["VIXCLS"].value[0] == 19.0
        # Of a series that began 11 days before, all.
        assert read_published(cursor, start=days[10], until=days[50])["VIXCLS"].value[0] == 0.0


def test_articles_are_read_as_first_written_with_who_is_in_them(adbc: "Connection") -> None:
    listing(adbc, 1, symbol="AAPL")
    listing(adbc, 2, symbol="BTC_USDT")
    with adbc.cursor() as cursor:
        row = {"instrument_id": "1", "symbol": "AAPL", "name": "Apple Inc.", "kind": "equity", "interval": "1d"}
        load(cursor, "records.instruments", pa.Table.from_pylist([row]), key=("instrument_id",), now=DAY)
    adbc.commit()
    article(adbc, 1, "Apple profit beats", known_at=DAY, recorded_at=DAY)
    article(adbc, 1, "Apple profit falls, BTC too", known_at=DAY, recorded_at=DAY + timedelta(days=1))
    article(adbc, 2, "BTC crash; pineapples fine", known_at=DAY + timedelta(hours=1), recorded_at=DAY)
    article(adbc, 3, "AAPL tomorrow", known_at=DAY + timedelta(days=1), recorded_at=DAY)
    with adbc.cursor() as cursor:
        found = read_articles(cursor, [1, 2], start=DAY, until=DAY + timedelta(hours=2))
        everything = read_articles(cursor, [1, 2], start=DAY, until=END)
        later = read_articles(cursor, [1, 2], start=END, until=END)
    assert found.about[1].tolist() == [True, False]
    assert found.about[2].tolist() == [False, True]
    assert (found.positive.tolist(), found.negative.tolist()) == ([2, 0], [0, 2])
    assert everything.about[1].tolist() == [True, False, True]
    assert len(later.knowledge_time) == 0
    assert found.knowledge_time.dtype.kind == "M"
    assert np.all(found.knowledge_time[1:] >= found.knowledge_time[:-1])


def test_words_of_an_article_are_read_once_and_again_where_others_are_looked_for(adbc: "Connection") -> None:
    kept = "SELECT article_id, positive, listings, reader, xmin::text FROM ops.article_tones ORDER BY article_id"

    def read() -> tuple[list[tuple[str, int, list[int]]], list[str], list[str]]:
        with adbc.cursor() as cursor:
            found = read_articles(cursor, [1, 2], start=DAY, until=END)
            cursor.execute(kept)
            stored = cursor.fetchall()
        adbc.commit()
        assert found.positive.tolist() == [row[1] for row in stored]
        return [row[:3] for row in stored], [row[3] for row in stored], [row[4] for row in stored]

    listing(adbc, 1, symbol="AAPL")
    article(adbc, 1, "AAPL rises, IBM too", known_at=DAY, recorded_at=DAY)
    article(adbc, 2, "IBM falls", known_at=DAY, recorded_at=DAY)
    tones, readers, written = read()
    assert tones == [("1", 1, [1]), ("2", 0, [])]
    article(adbc, 3, "A profit", known_at=DAY, recorded_at=DAY)
    tones, _, again = read()
    assert tones == [("1", 1, [1]), ("2", 0, []), ("3", 1, [])]
    assert again[:2] == written  # not written again
    listing(adbc, 2, symbol="IBM")
    tones, others, _ = read()
    assert tones == [("1", 1, [1, 2]), ("2", 0, [2]), ("3", 1, [])]
    assert not set(others) & set(readers)


def test_article_whose_date_was_read_wrongly_is_known_from_the_right_one_once_it_is_parsed_anew(
    adbc: "Connection",
) -> None:
    """05-03-2024 was once read as 20 March 2005; the same fetch, parsed again, says when it was first seen."""
    article(adbc, 1, "Central bank holds", known_at=datetime(2005, 3, 20, 14, tzinfo=UTC), recorded_at=DAY)
    article(adbc, 1, "Central bank holds", known_at=DAY, recorded_at=DAY + timedelta(days=9))
    with adbc.cursor() as cursor:
        found = read_articles(cursor, [], start=datetime(2005, 3, 20, tzinfo=UTC), until=END)
    assert found.knowledge_time.tolist() == np.array([DAY.replace(tzinfo=None)], found.knowledge_time.dtype).tolist()


def test_tone_counts_words_of_the_lists_and_a_word_is_on_one() -> None:
    assert tone("Shares SURGE: profits rise, sell-off over; no fear") == (3, 2)
    assert tone("Les bénéfices montent") == (0, 0)
    assert not POSITIVE & NEGATIVE


@given(st.lists(st.text("AB &$.", max_size=9), max_size=6), st.lists(st.text("AB &$.", max_size=4), max_size=4))
def test_texts_are_found_for_the_listings_that_each_ones_pattern_finds(texts: list[str], names: list[str]) -> None:
    listings = {1: ("AB_B", names), 2: ("A", names[:1]), 3: ("BB-A", [])}
    found = mentions(texts, listings)
    for number, (symbol, own) in listings.items():
        pattern = mention(symbol, own)
        expected = [bool(pattern.search(text)) for text in texts]
        assert found.get(number, np.zeros(len(texts), bool)).tolist() == expected
        assert (number in found) == any(expected)


def test_mentions_are_whole_words_in_their_own_case() -> None:
    pattern = mention("FB", ["Facebook, Inc.", "IB"])
    assert [bool(pattern.search(text)) for text in ("FB up", "Facebook's", "FBI", "facebook", "IB")] == [
        True, True, False, False, False,
    ]  # fmt: skip
    assert mention("X", []).search("X") is None
