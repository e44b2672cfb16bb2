"""Whether a model was better than saying 'no change', as far as that was known at a time."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from strades_pipelines.strategy.events import microseconds

CODE = "model_worse_than_naive"
QUERY = """
    SELECT name, month, known_at, mse, mse_naive, worse_than_naive FROM predictions.standings
    WHERE name IN ({names}) ORDER BY known_at, month
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the scores closed before `known_at` say of a model."""

    name: str
    month: Any
    known_at: datetime
    mse: float | None
    mse_naive: float | None
    worse_than_naive: bool

    @property
    def detail(self) -> str:
        """In one line."""
        known = f"known since {self.known_at:%Y-%m-%d %H:%M}Z"
        return f"{self.name}: mean squared error {self.mse} against {self.mse_naive} of no change, {known}"


class Standings:
    """The standings of a wallet's models; the newest known at a time is the one that counts."""

    def __init__(self, rows: Sequence[Standing] = ()) -> None:
        self.rows = rows
        self._by_name: dict[str, tuple[list[int], list[Standing]]] = {}
        for row in rows:
            times, standings = self._by_name.setdefault(row.name, ([], []))
            times.append(microseconds(row.known_at))
            standings.append(row)

    def worse_than_naive_at(self, time: int) -> Standing | None:
        """A model's newest standing at `time` (microseconds UTC), if it is worse than naive; None where none is."""
        for times, standings in self._by_name.values():
            place = bisect_right(times, time)
            if place and standings[place - 1].worse_than_naive:
                return standings[place - 1]
        return None


def read_standings(cursor: Any, models: Sequence[str]) -> Standings:
    """The standings of models, oldest first; any database cursor will do. A model that has none is trusted."""
    if not models:
        return Standings()
    # In the text, quoted: psycopg and ADBC mark parameters each in its own way.
    names = ", ".join("'" + name.replace("'", "''") + "'" for name in models)
    cursor.execute(QUERY.format(names=names))
    return Standings([Standing(*row) for row in cursor.fetchall()])


def check_models(cursor: Any, models: Sequence[str]) -> None:
    """Refuse a wallet that would wait for good; where nothing was forecast yet, every model may still come.

    Raises:
        LookupError: for a model that nobody makes forecasts with.
    """
    if not models:
        return
    cursor.execute("SELECT DISTINCT name FROM predictions.forecasts ORDER BY name")
    known = [name for (name,) in cursor.fetchall()]
    for name in models if known else ():
        if name not in known:
            raise LookupError(f"model: expected one that makes forecasts ({', '.join(known)}), was {name!r}")
