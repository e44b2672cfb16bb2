"""Articles by session: written by month, in any order, once."""

import random
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from strades_pipelines.ingestion.loader import load_stored
from tests.dbt_project.building import BUILD, months, rows, run_dbt
from tests.dbt_project.seeding import listing, sessions
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
        owner.execute("TRUNCATE cleaned.news")
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
