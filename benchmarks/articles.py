"""10,000 articles a day over a month, about 500 stocks: from stored rows to features and events, then one more day.

The texts are words drawn from a seed; every third names a stock. `ARTICLES_A_DAY` (10000) and `ARTICLES_STOCKS` (500)
make it smaller. The articles are written as a load would leave them: parsing feeds is not measured.
"""

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import psycopg

from benchmarks.run import empty_home
from benchmarks.universe import LAST, NEXT, bodies, market, prepare, sources_of_stocks, step, store
from strades_pipelines.analysis.tone import NEGATIVE, POSITIVE

A_DAY = int(os.environ.get("ARTICLES_A_DAY", "10000"))
STOCKS = int(os.environ.get("ARTICLES_STOCKS", "500"))
SEED = 20261129
LAYERS = ("records", "staging", "cleaned", "marts", "features", "ops")
WORDS = (*sorted(POSITIVE), *sorted(NEGATIVE), *(f"word{number}" for number in range(3000)))
COLUMNS = (
    "source, article_id, title, summary, authors, language, categories, published_at, knowledge_time, "
    "knowledge_basis, fetch_id, recorded_at"
)


def main() -> None:
    """Print the figures of the month, of one more day and of the same again."""
    with empty_home() as environment:
        url = prepare(environment, sources_of_stocks(STOCKS, 1))
        bars = market(STOCKS, 1)
        store(url, bodies(bars, until=LAST))
        _write(url, date(LAST.year, 10, 1), LAST)
        step("a month of articles", environment, url, LAST, "2026-10-01", LAYERS)
        store(url, bodies(bars, until=NEXT, since=date(NEXT.year, 1, 1)))
        _write(url, NEXT, NEXT)
        step("one more day", environment, url, NEXT, "2026-10-01", LAYERS)
        step("nothing new", environment, url, NEXT, "2026-10-01", LAYERS)


def _write(url: str, first: date, last: date) -> None:
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO ops.platforms VALUES ('bench', 'Synthetic news', NULL) ON CONFLICT DO NOTHING")
        with cursor.copy(f"COPY records.articles ({COLUMNS}) FROM STDIN") as copy:
            for row in _articles(first, last):
                copy.write_row(row)
        connection.commit()


def _articles(first: date, last: date) -> Iterator[tuple[Any, ...]]:
    """Rows of every day from `first` to `last`, spread over the 20 hours before 20:00 UTC."""
    for day in range((last - first).days + 1):
        midnight = datetime(first.year, first.month, first.day, tzinfo=UTC) + timedelta(days=day)
        random = np.random.default_rng([SEED, midnight.toordinal()])
        drawn = random.integers(0, len(WORDS), (A_DAY, 40))
        stocks = random.integers(0, STOCKS, A_DAY)
        for number in range(A_DAY):
            words = [WORDS[place] for place in drawn[number]]
            if number % 3 == 0:
                words[4] = f"U{stocks[number]:04}"
            known = midnight + timedelta(seconds=number * 72_000 // A_DAY)
            yield (
                "bench", f"{midnight:%Y%m%d}-{number}", " ".join(words[:8]), " ".join(words[8:]), [], "en", [], known,
                known, "stated", 1, known,
            )  # fmt: skip


if __name__ == "__main__":
    main()
