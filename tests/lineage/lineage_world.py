"""A world drawn from a seed, in which bars, features, forecasts, decisions, orders and fills rest on each other."""

import json
import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg

from strades_pipelines.database.connection import connect
from tests.dbt_project.test_marts import wallet
from tests.predictor.made import make_cleaned

Connection = psycopg.Connection[Any]
FIRST = date(2024, 1, 1)
DAYS, MINUTES = 12, 20  # sessions of the stock; minutes of a coin on each of the last two days
COIN, STOCK = 1, 2
STOCK_ABROAD, ABROAD = 3, "w"  # the listing whose bar is that of the market on every fourth day
SOURCES = ("alpha", "beta")
WALLETS = ("blue", "red")
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
CANDLE = "INSERT INTO records.candles VALUES (%s, %s, %s, %s, 10, 10, 10, 10, 1, 1, 1, %s, 'stated', %s, now())"
DECISION = """
    INSERT INTO signals.decisions (decision_id, wallet, strategy, listing_id, decided_at, trigger_kind, trigger_id,
        ordinal, previous_target, target, reason, inputs, recorded_at)
    VALUES (%s, %s, %s, %s, %s, 'bar', %s, %s, 0, 1, 'r', %s, now())
"""


def midnight(day: date) -> datetime:
    """00:00 UTC of a day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


class World:
    """The rows of one seed; `identities` are those of all forecasts, decisions, orders and fills."""

    def __init__(self, url: str, connection: Connection, seed: int) -> None:
        self._draw, self._connection = random.Random(seed), connection
        self.identities: list[str] = []
        self._fetches: dict[tuple[int, date], int] = {}
        make_cleaned(url)
        for listing_id, venue, symbol in ((COIN, "v", "BTC"), (STOCK, "v", "ABC"), (STOCK_ABROAD, ABROAD, "ABC")):
            self._run(
                "INSERT INTO records.listings VALUES (%s, %s, %s, 'USD', 0.01, 1, 'raw', '24/7')",
                listing_id, venue, symbol,
            )  # fmt: skip
        for name in WALLETS:
            wallet(connection, name)
        self._days(url)
        self._minutes()
        for n in range(12):
            self._trade(n)
        connection.commit()

    def _run(self, query: str, *values: Any) -> None:
        self._connection.execute(query.encode(), values)

    def fetch_of(self, listing_id: int, day: date) -> int:
        """The fetch that brought a listing's bars of a day; now and then the one of the day before."""
        place = listing_id, day
        if place not in self._fetches:
            fetch_id = len(self._fetches) + 1
            self._run(
                "INSERT INTO rawsources.fetches (fetch_id, source, protocol, request_key, url, given, month, "
                "fetched_at, outcome, error, run_id) "
                "VALUES (%s, %s, 'p', 'k', 'https://x', '{}', %s, %s, 'failed', 'e', 'r')",
                fetch_id, self._draw.choice(SOURCES), day.replace(day=1), midnight(day),
            )  # fmt: skip
            self._fetches[place] = fetch_id
        return self._fetches[place]

    def _days(self, url: str) -> None:
        """Daily bars of the stock, cleaned ones of them, features over windows of them, and forecasts of two models."""
        sessions = [FIRST + n * DAY for n in range(DAYS)]
        for n, day in enumerate(sessions):
            quoted, venue = (STOCK_ABROAD, ABROAD) if n % 4 == 3 else (STOCK, "v")
            fetch_id, close = self.fetch_of(quoted, day), midnight(day) + DAY
            self._run(CANDLE, quoted, "1d", midnight(day), close, close, fetch_id)
            with connect(url, role="strades_dbt") as dbt:
                dbt.execute(
                    "INSERT INTO cleaned.daily_bars (listing_id, venue, symbol, session_date, open_time, close_time, "
                    "open, high, low, close, currency, total_return_factor, is_half_day, knowledge_time, fetch_id, "
                    "recorded_at, quoted_venue) "
                    "VALUES (%s, 'v', 'ABC', %s, %s, %s, 1, 1, 1, 1, 'USD', 1, false, %s, %s, now(), %s)",
                    [STOCK, day, midnight(day), close, close, fetch_id, venue],
                )
        for n, day in enumerate(sessions):
            if n < 2 or self._draw.random() < 0.3:
                continue
            decided, start = midnight(day) + DAY, sessions[self._draw.randrange(n)]
            self._run(
                "INSERT INTO features.daily (listing_id, session_date, decision_time, window_start, "
                "max_knowledge_time, inputs_hash, recorded_at) VALUES (%s, %s, %s, %s, %s, 'h', now())",
                STOCK, day, decided, start, decided,
            )  # fmt: skip
            for name in self._draw.sample(["ridge", "hgb"], self._draw.randint(0, 2)):
                self._run(
                    "INSERT INTO predictions.forecasts (prediction_id, name, listing_id, session_date, decision_time, "
                    "status, inputs_hash, recorded_at) VALUES (%s, %s, %s, %s, %s, 'no_model', 'h', now())",
                    f"P{n}{name}", name, STOCK, day, decided,
                )  # fmt: skip
                self.identities.append(f"P{n}{name}")

    def _minutes(self) -> None:
        for day in (FIRST + (DAYS - 2) * DAY, FIRST + (DAYS - 1) * DAY):
            for n in range(MINUTES):
                opened = midnight(day) + n * MINUTE
                ends = opened + MINUTE
                self._run(CANDLE, COIN, "1m", opened, ends, ends, self.fetch_of(COIN, day))

    def _trade(self, n: int) -> None:
        """A decision on minutes, days or a forecast; most become an order, most of those a fill."""
        kind = self._draw.choice(["minutes", "days", "forecast"])
        forecasts = [name for name in self.identities if name.startswith("P")]
        inputs: dict[str, Any] = {}
        listing_id, at, bar = COIN, midnight(FIRST + (DAYS - 1) * DAY), None
        if kind == "minutes":
            day = midnight(FIRST + (DAYS - self._draw.randint(1, 2)) * DAY)
            first, last = sorted(self._draw.choices(range(MINUTES - 1), k=2))
            inputs = {"bars": window_of(COIN, "1m", day + first * MINUTE, day + last * MINUTE)}
            at, bar = day + (last + 1) * MINUTE, ("1m", day + (last + 1) * MINUTE)
        elif kind == "days":
            first, last = sorted(self._draw.choices(range(DAYS - 1), k=2))
            inputs = {"bars": window_of(STOCK, "1d", midnight(FIRST + first * DAY), midnight(FIRST + last * DAY))}
            listing_id, at = STOCK, midnight(FIRST + (last + 1) * DAY)
            bar = "1d", at
        elif forecasts:
            chosen = self._draw.choice(forecasts)
            inputs = {"prediction_id": chosen}
            listing_id, at = STOCK, midnight(FIRST + int(chosen.strip("Pridgehb")) * DAY) + DAY
        self.decide(f"D{n}", listing_id, at, inputs)
        if self._draw.random() < 0.8:
            self._order(f"{n}", listing_id, at, bar if self._draw.random() < 0.7 else None)

    def decide(self, name: str, listing_id: int, at: datetime, inputs: dict[str, Any]) -> None:
        """A decision of some wallet and strategy."""
        values = [
            name,
            self._draw.choice(WALLETS),
            self._draw.choice(["fast", "slow"]),
            listing_id,
            at,
            name,
            len(self.identities),
        ]
        self._run(DECISION, *values, json.dumps(inputs))
        self.identities.append(name)

    def _order(self, n: str, listing_id: int, at: datetime, bar: tuple[str, datetime] | None) -> None:
        wallet_of = f"(SELECT wallet FROM signals.decisions WHERE decision_id = 'D{n}')"
        self._run(
            f"INSERT INTO trading.intents VALUES (%s, %s, {wallet_of}, %s, 0, 'buy', 1, 'market', %s, now(), 'paper')",
            f"I{n}", f"D{n}", listing_id, at,
        )  # fmt: skip
        self.identities.append(f"I{n}")
        if self._draw.random() < 0.8:
            interval, opened = bar or (None, None)
            self._run(
                f"INSERT INTO trading.fills "
                f"VALUES (%s, %s, {wallet_of}, %s, 'buy', 1, 10, 0, 'USD', %s, %s, %s, %s, now())",
                f"F{n}", f"I{n}", listing_id, at, at + MINUTE, interval, opened,
            )  # fmt: skip
            self.identities.append(f"F{n}")


def window_of(listing_id: int, interval: str, first: datetime, last: datetime) -> dict[str, Any]:
    return {
        "listing_id": listing_id, "interval": interval, "first_open_time": first.isoformat(),
        "last_open_time": last.isoformat(),
    }  # fmt: skip
