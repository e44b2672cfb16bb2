"""The one partition definition: months, UTC, since the first euro rate, the current month included.

A partition is the unit of bookkeeping; the work inside follows what is new. A range is one run.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

MONTHS = dg.MonthlyPartitionsDefinition(start_date="1999-01-01", end_offset=1)
SINGLE_RUN = dg.BackfillPolicy.single_run()


@dataclass(frozen=True)
class Window:
    """A half-open stretch of time, `[start, end)`, UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start >= self.end:
            raise ValueError(f"expected a window that starts before it ends, was [{self.start}, {self.end})")

    def month_range(self) -> tuple[str, str]:
        """The keys of the first and the last month that the window touches."""
        last = self.end - timedelta(microseconds=1)
        return f"{self.start:%Y-%m-01}", f"{last:%Y-%m-01}"


class WindowConfig(dg.Config):
    """Clips the months of a run to a stretch of days: `[from_date, to_date)`, ISO dates, UTC."""

    from_date: str | None = None
    to_date: str | None = None


def run_window(context: dg.AssetExecutionContext, config: WindowConfig) -> Window:
    """The stretch of time this run is for: its months, clipped by its config."""
    months = context.partition_time_window
    start, end = months.start.astimezone(UTC), months.end.astimezone(UTC)
    if config.from_date:
        start = max(start, day_start(config.from_date))
    if config.to_date:
        end = min(end, day_start(config.to_date))
    return Window(start, end)


def day_start(day: str) -> datetime:
    """The first instant of an ISO date, UTC."""
    return datetime.fromisoformat(day).replace(tzinfo=UTC)
