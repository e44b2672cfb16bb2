"""The trial ledger in the database: `analysis.trials` over the table ops.trials."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg.types.json import Jsonb

from strades_pipelines.analysis.trials import Trial
from strades_pipelines.database.connection import connect
from strades_pipelines.strategy.events import microseconds, moment

COLUMNS = (
    "data_hash",
    "code_hash",
    "strategy",
    "parameters",
    "sharpe",
    "n",
    "options",
    "periods_per_year",
    "total_return",
    "recorded_at",
)
NAMES = ", ".join(COLUMNS)
RECORD = f"INSERT INTO ops.trials (key, {NAMES}) VALUES (%s{', %s' * len(COLUMNS)}) ON CONFLICT DO NOTHING"
OF_DATA = f"SELECT {NAMES} FROM ops.trials WHERE data_hash = %s ORDER BY recorded_at, key"


@dataclass(frozen=True)
class DatabaseTrialLedger:
    """Trials in a database; safe for any number of processes at once. `url` is this world's database where None."""

    url: str | None = None

    def record(self, trials: Sequence[Trial]) -> int:
        """Keep those not there yet, in one transaction; how many these were."""
        with connect(self.url) as connection, connection.cursor() as cursor:
            cursor.executemany(RECORD, [_row(trial) for trial in trials])
            return cursor.rowcount if trials else 0

    def of_data(self, data_hash: str) -> list[Trial]:
        """Every trial ever run on the data, oldest first."""
        with connect(self.url) as connection:
            rows = connection.execute(OF_DATA, [data_hash]).fetchall()
        return [_trial(dict(zip(COLUMNS, row, strict=True))) for row in rows]


def _trial(given: dict[str, Any]) -> Trial:
    return Trial(**{**given, "recorded_at": microseconds(given["recorded_at"])})


def _row(trial: Trial) -> list[Any]:
    recorded_at = moment(trial.recorded_at) if trial.recorded_at else datetime.now(UTC)
    return [
        trial.key,
        trial.data_hash,
        trial.code_hash,
        trial.strategy,
        Jsonb(dict(trial.parameters)),
        trial.sharpe,
        trial.n,
        Jsonb(dict(trial.options)),
        trial.periods_per_year,
        trial.total_return,
        recorded_at,
    ]
