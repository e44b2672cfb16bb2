"""Articles by session: worked out once, when they come or change, whatever the window of the run."""

import random
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from strades_pipelines.ingestion.loader import load_stored
from tests.database.table_counters import read_counters
from tests.dbt_project.building import BUILD, months, rows, run_dbt
from tests.dbt_project.seeding import candles, days, listing, sessions
from tests.ingestion.conftest import store_body

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

NEWS = (*BUILD, "--select", "+news", "--indirect-selection", "buildable")
AGAIN = (*BUILD, "--select", "news", "--exclude", "test_type:data")
ROWS = "SELECT article_id, listing_id, session_date, mentioned_by, title FROM cleaned.news ORDER BY 1, 2"
KNOWN = "SELECT title, session_date, published_at, knowledge_time FROM cleaned.news"
PLACES = "SELECT article_id, listing_id, ctid::text, xmin::text FROM cleaned.news ORDER BY 1, 2"


def article(connection: psycopg.Connection[Any], number: int, known: datetime, title: str) -> None:
    """An article, or its new title."""
    connection.execute(
        """
        INSERT INTO records.articles VALUES ('s', %s, 'https://example.com', %s, NULL, NULL, '{}', 'en', '{}', %s, %s,
            'stated', 1, now())
        ON CONFLICT (source, article_id) DO UPDATE SET title = EXCLUDED.title
        """,
        [f"{number:03}", title, known, known],
    )


def test_12_months_in_any_order_and_twice_give_the_news_of_one_go_and_no_row_is_written_again(
    database_url: str, adbc: "Connection", connection: psycopg.Connection[Any]
) -> None:
    listing(adbc, 1, symbol="ABC", calendar="XNYS")
    listing(adbc, 2, symbol="XYZ_USDT")
    open_days = sessions(adbc, "XNYS", 2024)
    first = datetime(2024, 5, 28, 20, 30, tzinfo=UTC)  # over the ends of May (a Friday) and June (a Sunday)
    for number in range(40):
        article(connection, number, first + number * timedelta(days=1), "ABC and XYZ" if number % 2 else "of ABC only")
    connection.commit()
    run_dbt(database_url, NEWS)
    at_once, places = rows(database_url, ROWS), rows(database_url, PLACES)
    assert len(at_once) == 60
    for number, listing_id, day, *_ in at_once:
        known = first + int(number) * timedelta(days=1)
        later = [session for session, (_, close) in open_days.items() if close >= known]
        assert day == (min(later) if listing_id == 1 else known.date())
    run_dbt(database_url, AGAIN)
    run_dbt(database_url, AGAIN, min_date="2024-06-01", max_date="2024-07-01")
    assert rows(database_url, PLACES) == places
    with psycopg.connect(database_url) as owner:
        owner.execute("DROP TABLE cleaned.news")
    windows = months(date(2024, 5, 1), 3) + months(date(2024, 6, 1), 1)
    random.Random(3).shuffle(windows)
    for window in windows:
        run_dbt(database_url, AGAIN, **window)
    assert rows(database_url, ROWS) == at_once
    article(connection, 7, first, "Of neither")
    connection.commit()
    run_dbt(database_url, AGAIN)
    assert {row[0] for row in at_once} - {row[0] for row in rows(database_url, ROWS)} == {"007"}


ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title><id>u:t</id><entry><id>u:1</id><title>%s</title>
    <published>2024-03-05T14:00:00Z</published><updated>%s</updated></entry></feed>"""
PUBLISHED, EDITED = "2024-03-05T14:00:00Z", "2024-03-06T22:15:00Z"  # before Tuesday's close, after Wednesday's


@pytest.mark.parametrize("first_seen", [True, False])
@pytest.mark.parametrize("says_so", [True, False])
def test_words_that_an_editor_changed_are_news_of_the_session_at_which_they_were_there(
    database_url: str, adbc: "Connection", first_seen: bool, says_so: bool
) -> None:
    """Asked for on Tuesday at 15:00 and on Friday; the second time alone the edit is seen."""
    listing(adbc, 1, symbol="ABC", calendar="XNYS")
    sessions(adbc, "XNYS", 2024)
    asked = datetime(2024, 3, 5, 15, tzinfo=UTC), datetime(2024, 3, 8, 15, tzinfo=UTC)
    bodies = ATOM % ("ABC rises", PUBLISHED), ATOM % ("ABC falls", EDITED if says_so else PUBLISHED)
    for at, body in list(zip(asked, bodies, strict=True))[0 if first_seen else 1 :]:
        answered = at + timedelta(seconds=20)
        store_body(database_url, body.encode(), protocol="feed", source="news", given={}, fetched_at=at,
                   answered_at=answered)  # fmt: skip
        load_stored(url=database_url, now=answered)
    run_dbt(database_url, NEWS)
    published, edited = (datetime.fromisoformat(text) for text in (PUBLISHED, EDITED))
    if says_so:
        known, session = edited, date(2024, 3, 7)
    elif first_seen:  # the publisher's word is refuted by its own answer of Tuesday
        known, session = asked[1] + timedelta(seconds=20), date(2024, 3, 8)
    else:  # nothing tells of an edit
        known, session = published, date(2024, 3, 5)
    assert rows(database_url, KNOWN) == [("ABC falls", session, published, known)]


COUNTED = """
    SELECT schemaname || '.' || relname, seq_tup_read + coalesce(idx_tup_fetch, 0), n_tup_ins + n_tup_upd + n_tup_del
    FROM pg_stat_user_tables WHERE relname IN ('articles', 'news')
"""


def work_of_one_more_article(
    url: str, adbc: "Connection", connection: psycopg.Connection[Any], number: int
) -> dict[str, tuple[int, int]]:
    """Rows read and written of articles and news when one more comes."""

    def counted() -> dict[str, tuple[int, int]]:
        return {name: (read, written) for name, read, written in read_counters(url, COUNTED, adbc, connection)}

    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("ANALYZE")
    before = counted()
    article(connection, number, datetime(2024, 6, 28, 15, tzinfo=UTC), "ABC rises")
    connection.commit()
    run_dbt(url, AGAIN, min_date="2024-06-01", max_date="2024-07-01")
    after = counted()
    return {name: (after[name][0] - before[name][0], after[name][1] - before[name][1]) for name in after}


def test_one_more_article_costs_the_same_whatever_was_written_before_it(
    database_url: str, adbc: "Connection", connection: psycopg.Connection[Any]
) -> None:
    listing(adbc, 1, symbol="ABC", calendar="XNYS")
    sessions(adbc, "XNYS", 2024)
    day = datetime(2024, 6, 28, 15, tzinfo=UTC)  # of the month that is run, as the many are
    for number in range(20):
        article(connection, number, day, "ABC falls")
    connection.commit()
    run_dbt(database_url, NEWS)
    short = work_of_one_more_article(database_url, adbc, connection, 900)
    connection.execute(
        """
        INSERT INTO records.articles
        SELECT 's', number::text, 'https://example.com', 'ABC falls', NULL, repeat('x ', 200), '{}', 'en', '{}',
            %(day)s, %(day)s, 'stated', 1, now()
        FROM generate_series(1001, 6000) AS number
        """,
        {"day": day},
    )
    connection.commit()
    run_dbt(database_url, AGAIN)
    long = work_of_one_more_article(database_url, adbc, connection, 901)
    assert rows(database_url, "SELECT count(*) FROM cleaned.news") == [(5022,)]
    assert long["cleaned.news"][1] == short["cleaned.news"][1] == 1
    # A small table is read whole: that counts for the short history.
    assert sum(read for read, _ in long.values()) <= sum(read for read, _ in short.values()) + 10


def test_a_renamed_instrument_is_looked_for_in_every_article_and_asks_for_its_features(
    database_url: str, adbc: "Connection", connection: psycopg.Connection[Any]
) -> None:
    listing(adbc, 1, symbol="META", calendar="XNYS")
    sessions(adbc, "XNYS", 2024)
    candles(adbc, 1, dict.fromkeys(days(date(2024, 3, 4), 3), 10.0))
    connection.execute(
        "INSERT INTO records.instruments VALUES ('METAEQ', 'META', 'Facebook Inc', 'equity', '1d', NULL, NULL)"
    )
    article(connection, 1, datetime(2024, 3, 5, 15, tzinfo=UTC), "Facebook rises")
    article(connection, 2, datetime(2024, 3, 5, 15, tzinfo=UTC), "Meta Platforms falls")
    connection.commit()
    run_dbt(database_url, NEWS)
    assert [row[0] for row in rows(database_url, ROWS)] == ["001"]
    connection.execute("DELETE FROM ops.stale WHERE relation = 'features.daily'")
    connection.execute("UPDATE records.instruments SET start_date = now()")  # concerns no article
    connection.commit()
    marks = (
        "SELECT relation, listing_id, days::text FROM ops.stale WHERE relation IN ('features.daily', 'cleaned.news')"
    )
    assert rows(database_url, marks) == []
    connection.execute("UPDATE records.instruments SET name = 'Meta Platforms Inc'")
    connection.commit()
    assert set(rows(database_url, marks)) == {
        ("cleaned.news", None, "(,)"),
        ("features.daily", 1, "[2024-03-03,2024-03-08)"),
    }
    run_dbt(database_url, AGAIN, min_date="2024-06-01", max_date="2024-07-01")
    assert [row[0] for row in rows(database_url, ROWS)] == ["002"]
