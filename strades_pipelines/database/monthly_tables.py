"""The tables that have a partition for each month, and a DEFAULT one for the rows of all other months."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True)
class MonthlyTable:
    """A table with a partition for each month of `time`, a column of UTC times.

    `key` is its primary key, in the order in which a cold month has its rows. `values` tell versions of a row apart,
    and `revisions` is the table of the old ones; both are empty where rows never change.
    """

    name: str
    time: str
    key: tuple[str, ...]
    values: tuple[str, ...] = ()
    revisions: str | None = None

    @property
    def title(self) -> str:
        """The name without its schema: what its rows are."""
        return self.name.partition(".")[2]

    @property
    def default(self) -> str:
        """The partition of the rows whose month has none."""
        return f"{self.name}_default"

    def partition(self, month: date) -> str:
        """The name of a month's partition."""
        return f"{self.name}_{month:%Y_%m}"

    def of_month(self, month: date) -> str:
        """SQL: the row `t` is of that month. By literals, so that the planner leaves the other partitions out."""
        return f"t.{self.time} >= '{_midnight(month)}' AND t.{self.time} < '{_midnight(month_after(month))}'"

    def bounds(self, month: date) -> str:
        """SQL: the bounds of a month's partition."""
        return f"FOR VALUES FROM ('{_midnight(month)}') TO ('{_midnight(month_after(month))}')"


_TABLES = (
    MonthlyTable(
        "records.trades",
        "event_time",
        ("listing_id", "event_time", "trade_id"),
        ("price", "size", "side"),
        "records.trade_revisions",
    ),
    MonthlyTable(
        "records.quotes",
        "event_time",
        ("listing_id", "event_time", "quote_id"),
        ("bid", "bid_size", "ask", "ask_size"),
        "records.quote_revisions",
    ),
    MonthlyTable("rawsources.frames", "received_at", ("connection", "sequence", "received_at")),
)
MONTHLY_TABLES: Mapping[str, MonthlyTable] = {table.name: table for table in _TABLES}


def month_after(month: date) -> date:
    """The first day of the next month."""
    return (month + timedelta(days=32)).replace(day=1)


def _midnight(day: date) -> str:
    return f"{day.isoformat()} 00:00:00+00"
