"""Series that several tests use."""

from datetime import UTC, datetime, timedelta

import numpy as np

from strades_pipelines.analysis.arrays import DAY, Floats, Ints


def micros(text: str) -> int:
    """Of an ISO date or instant, UTC."""
    return int(np.datetime64(text, "us").astype(np.int64))


def business_days(start: str, count: int) -> Ints:
    """Instants at 21:00 UTC on weekdays."""
    first = datetime.fromisoformat(start).replace(tzinfo=UTC, hour=21)
    days = [first + timedelta(days=k) for k in range(2 * count + 7)]
    return np.array([int(day.timestamp()) * 1_000_000 for day in days if day.weekday() < 5][:count])


def calendar_days(start: str, count: int) -> Ints:
    """Midnights, every day."""
    return micros(start) + DAY * np.arange(count)


def random_equity(seed: int, n: int, *, mean: float = 0.0005, deviation: float = 0.01) -> Floats:
    """An account of 100,000 with n independent normal returns, shape (n + 1,)."""
    returns = np.random.default_rng(seed).normal(mean, deviation, n)
    equity: Floats = 100_000.0 * np.cumprod(np.concatenate(([1.0], 1.0 + returns)), dtype=np.float64)
    return equity
