"""Tables that take in what changed before them hold what they would if they were made anew, whatever came when.

Random histories of three venues that quote one stock, and of a coin: bars that come, are corrected and withdrawn,
venues that disagree, dividends known late, answers and failures, articles and names of what they are about; built after
every few events, over random windows.
"""

import os
import random
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.dbt_project.building import BUILD, rows, run_dbt
from tests.dbt_project.seeding import bars, listing, load_rows, sessions
from tests.dbt_project.test_gaps import fetched

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

CLEANED = (*BUILD, "--select", "staging", "cleaned", "marts.fct_coverage", "--exclude", "test_type:data")
TABLES = {
    "cleaned.session_bars": "1, 2", "cleaned.price_conflicts": "1, 3, 4, 8", "cleaned.growth_factors": "1, 2, 3",
    "cleaned.daily_bars": "1, 4", "cleaned.gaps": "1, 2, 3", "cleaned.news": "1, 2, 3", "marts.fct_coverage": "1, 5",
}  # fmt: skip
SEEDS = tuple(map(int, os.environ.get("STRADES_INCREMENTAL_SEEDS", "1,2,3").split(",")))
DAYS = 45  # sessions
STOCK, COIN = (1, 2, 3), 4


class History:
    """What happens to the records, drawn from one seed."""

    def __init__(self, seed: int, adbc: "Connection", connection: psycopg.Connection[Any]) -> None:
        self.draw, self.adbc, self.connection = random.Random(seed), adbc, connection
        self.days = list(sessions(adbc, "XNYS", 2024).items())[:DAYS]
        for number, venue in zip(STOCK, ("yahoo", "pages", "w"), strict=True):
            listing(adbc, number, symbol="A", calendar="XNYS", venue=venue)
        listing(adbc, COIN, symbol="BTC", venue="gateio")
        for number, name in ((1, "1d"), (COIN, "1d"), (COIN, "1m")):
            self.connection.execute(
                "INSERT INTO records.bar_series VALUES (%s, %s, 'venue', '2024-01-01', NULL, %s, %s, 60)",
                [number, name, 60 if name == "1m" else 86_400, self.draw.choice([None, 20 * 86_400])],
            )
        self.connection.execute("INSERT INTO records.instruments VALUES ('A', 'A', 'Alpha', 'equity', '1d')")
        self.connection.commit()
        self.reached = 3

    def event(self) -> None:
        """One thing that happens; the newest day moves on with it."""
        happens = (self.stock_bars, self.stock_bars, self.coin_bars, self.minutes, self.dividend, self.withdrawn)
        self.draw.choice(
            (*happens, self.answer, self.answer, self.described_anew, *(self.article,) * 3, self.renamed)
        )()
        self.reached = min(DAYS, self.reached + self.draw.choice([0, 0, 1, 2]))

    def some_days(self) -> list[tuple[date, tuple[datetime, datetime]]]:
        """The newest days, or some of any time before."""
        known = self.days[: self.reached]
        return known[-2:] if self.draw.random() < 0.6 else self.draw.sample(known, min(3, len(known)))

    def stock_bars(self) -> None:
        number = self.draw.choice(STOCK)
        made = [self._bar(number, *span) for _, span in self.some_days()]
        load_rows(self.adbc, "records.candles", made, ["listing_id", "interval", "open_time"])

    def coin_bars(self) -> None:
        midnights = [datetime(day.year, day.month, day.day, tzinfo=UTC) for day, _ in self.some_days()]
        made = [self._bar(COIN, midnight, midnight + timedelta(days=1)) for midnight in midnights]
        load_rows(self.adbc, "records.candles", made, ["listing_id", "interval", "open_time"])

    def minutes(self) -> None:
        for _, (opened, _) in self.some_days():
            first = opened.replace(second=0) + timedelta(minutes=self.draw.randrange(300))
            spans = [(first + timedelta(minutes=n), first + timedelta(minutes=n + 1)) for n in range(5)]
            bars(self.adbc, COIN, "1m", spans)

    def dividend(self) -> None:
        for day, (opened, _) in self.some_days()[:1]:
            row = {
                "listing_id": self.draw.choice((1, 2, COIN)), "ex_date": day - timedelta(days=self.draw.randrange(2)),
                "action": "dividend", "amount": self.draw.choice([1.0, 2.5]), "currency": "USD",
                "knowledge_time": opened + timedelta(days=self.draw.choice([0, 0, 3])), "knowledge_basis": "assumed",
                "fetch_id": 1,
            }  # fmt: skip
            load_rows(self.adbc, "records.corporate_actions", [row], ["listing_id", "ex_date", "action"])

    def withdrawn(self) -> None:
        table, day = self.draw.choice(["candles", "candles", "corporate_actions"]), self.some_days()[0][0]
        column = "cast(open_time AS date)" if table == "candles" else "ex_date"
        self.connection.execute(
            f"DELETE FROM records.{table} WHERE listing_id = %s AND {column} = %s", [self.draw.randint(1, 4), day]
        )
        self.connection.commit()

    def answer(self) -> None:
        """For a stretch of days, a failure now and then; rarely for all of time."""
        days = self.days[: self.reached]
        first, last = sorted(self.draw.choices(days, k=2))
        window = (None, None) if self.draw.random() < 0.1 else (first[1][0], last[1][1] + timedelta(hours=4))
        at = days[-1][1][1] + timedelta(hours=3, seconds=self.draw.randrange(3600))
        kind = self.draw.random()
        fetched(
            self.connection, window, at, failed=kind < 0.2, refused="an error page" if kind > 0.9 else None,
            rejects=int(0.8 < kind < 0.9), symbol=self.draw.choice(["A", "BTC"]),
        )  # fmt: skip

    def article(self) -> None:
        """One more, other words of one that was there, or one that is gone."""
        number, (_, (opened, _)) = str(self.draw.randrange(6)), self.draw.choice(self.some_days())
        if self.draw.random() < 0.2:
            self.connection.execute("DELETE FROM records.articles WHERE article_id = %s", [number])
        else:
            words = self.draw.choice(["BTC and Alpha rise", "Beta falls", "Alpha, not BTC", "Alphabet", "BTC"])
            self.connection.execute(
                """
                INSERT INTO records.articles
                VALUES ('s', %s, NULL, %s, NULL, NULL, '{}', 'en', '{}', %s, %s, 'stated', 1, now())
                ON CONFLICT (source, article_id) DO UPDATE SET title = EXCLUDED.title
                """,
                [number, words, opened, opened + timedelta(hours=self.draw.randrange(30))],
            )
        self.connection.commit()

    def renamed(self) -> None:
        """Now and then the company takes another name."""
        name = self.draw.choice(["Alpha", "Beta", "Alphabet"])
        self.connection.execute("UPDATE records.instruments SET name = %s", [name])
        self.connection.commit()

    def described_anew(self) -> None:
        """Now and then a venue quotes another market, or in other steps, and then the same again."""
        changes = (
            "adjustment = CASE adjustment WHEN 'split' THEN 'raw' ELSE 'split' END",
            "currency = CASE currency WHEN 'USD' THEN 'EUR' ELSE 'USD' END",
            "tick_size = CASE tick_size WHEN 0.01 THEN 3 ELSE 0.01 END",
        )
        if self.draw.random() < 0.5:
            change = self.draw.choice(changes)
            self.connection.execute(
                f"UPDATE records.listings SET {change} WHERE listing_id = %s", [self.draw.choice(STOCK)]
            )
            self.connection.commit()

    def _bar(self, number: int, opened: datetime, closed: datetime) -> dict[str, Any]:
        close = (100.0 + self.draw.gauss(0, 1)) * self.draw.choice([1.0, 1.0, 1.0, 1.01, 100.0])
        known = closed + timedelta(hours=self.draw.choice([0, 0, 0, 2, 120]))
        return {
            "listing_id": number, "interval": "1d", "open_time": opened, "close_time": closed, "open": close * 0.999,
            "high": close * 1.01, "low": close * 0.99, "close": close, "volume": 1000.0, "knowledge_time": known,
            "knowledge_basis": "assumed", "fetch_id": number,
        }  # fmt: skip


def held(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of the tables."""
    return {table: rows(url, f"SELECT * FROM {table} ORDER BY {order}") for table, order in TABLES.items()}


@pytest.mark.parametrize("seed", SEEDS)
def test_tables_hold_what_they_would_if_made_anew_whatever_came_when(
    seed: int, database_url: str, adbc: "Connection", connection: psycopg.Connection[Any]
) -> None:
    history = History(seed, adbc, connection)
    for _ in range(8):
        for _ in range(history.draw.randint(1, 7)):
            history.event()
        months = ["2024-01-01", "2024-02-01", "2024-03-01", "2024-04-01"]
        first, last = sorted(history.draw.sample(months, 2))
        run_dbt(database_url, CLEANED, min_date=first, max_date=last)
    run_dbt(database_url, CLEANED)
    found = held(database_url)
    run_dbt(database_url, (*CLEANED, "--full-refresh"))
    whole = held(database_url)
    for table in TABLES:
        assert found[table] == whole[table], f"seed {seed}: {table}"
    assert whole["cleaned.daily_bars"]
    assert whole["cleaned.news"]
    assert whole["cleaned.gaps"]
    assert rows(database_url, "SELECT DISTINCT relation FROM ops.stale WHERE relation LIKE 'cleaned.%'") == []
    assert rows(database_url, "SELECT key FROM ops.changed_rows WHERE reader = 'cleaned.news'") == []
