"""What a lineage has in it, and how its rows are read."""

from dataclasses import dataclass, field
from typing import Any, Literal

import psycopg
from psycopg.rows import dict_row

Row = dict[str, Any]
Connection = psycopg.Connection[Any]
Reader = Literal["bars", "features", "model", "decision"]
# By fetch, what read it: bars of the lineage, other inputs of its features, its model's training, or its decision.
FetchReaders = dict[int, set[Reader]]


class NotFound(LookupError):
    """No fill, order, decision or prediction has this id."""


@dataclass
class Lineage:
    """Everything that one fill, order, decision or prediction rests on; `faults` is empty when all of it holds."""

    identity: str
    fill: Row | None = None
    order: Row | None = None
    intent: Row | None = None
    decision: Row | None = None
    prediction: Row | None = None
    model: Row | None = None
    features: Row | None = None
    cleaned: list[Row] = field(default_factory=list)
    records: list[Row] = field(default_factory=list)
    trades: list[Row] = field(default_factory=list)
    quotes: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    finding: Row | None = None
    statement: Row | None = None
    fetches: list[Row] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def has_venue_evidence(self) -> bool:
        """Whether a venue's messages are stored: an answer about the order, or those behind an adopted finding.

        An answer says what became of an order, and not why it was made: where its decision names bars or a prediction,
        those have to be there.
        """
        if self.finding is not None:
            return True
        read = (self.decision or {"inputs": {}})["inputs"]
        is_of_data = any(read.get(name) for name in ("bars", "prediction_id", "trades", "quotes", "articles"))
        return not is_of_data and any(event["message"] is not None for event in self.events)


def read_row(connection: Connection, query: str, *values: Any) -> Row | None:
    rows = read_rows(connection, query, *values)
    return rows[0] if rows else None


def read_rows(connection: Connection, query: str, *values: Any) -> list[Row]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, values).fetchall()
