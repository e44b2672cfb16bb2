"""The one partition definition: months, UTC, since the first euro rate, the current month included.

A partition is the unit of bookkeeping; the work inside follows what is new. A range is one run.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import dagster as dg
from pydantic import AfterValidator

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
        # The end is out: midnight on the first of a month touches nothing of it.
        last = self.end - timedelta(microseconds=1)
        return f"{self.start:%Y-%m-01}", f"{last:%Y-%m-01}"


def _check_day(text: str) -> str:
    if str(date.fromisoformat(text)) != text:  # which takes 20120101 and 2012-W01-1 as well
        raise ValueError(f"expected a date such as 2012-01-31, was {text!r}")
    return text


# An ISO date as run config has it: whoever reaches Dagster's pages writes run config, so it is text of strangers.
Day = Annotated[str, AfterValidator(_check_day)]


class WindowConfig(dg.Config):
    """Clips the months of a run to a stretch of days: `[from_date, to_date)`, ISO dates, UTC."""

    from_date: Day | None = None
    to_date: Day | None = None


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
