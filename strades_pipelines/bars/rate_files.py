"""Files of exchange rates: read and checked, by pairs of currencies."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from strades_pipelines.bad_input import BadInput, bad_row
from strades_pipelines.bars.action_files import CURRENCY
from strades_pipelines.bars.bar_checks import iso
from strades_pipelines.bars.bar_table import TIME, UTC_TIME
from strades_pipelines.bars.csv_rows import number_of, read_rows
from strades_pipelines.engine.rates import Rates
from strades_pipelines.strategy.events import microseconds

FIELDS = (TIME, "base", "quote", "rate")
# How old the last rate may be: currency markets have holidays, and a file may have one rate a month.
MOST_AGE = 31 * 86_400_000_000
MOST_RATE = 1e12


@dataclass(frozen=True)
class RateFile:
    """The rates of each pair: what one unit of the first currency costs in the second."""

    path: Path
    pairs: Mapping[tuple[str, str], Rates]

    def between(self, currency: str, home: str, first: int, last: int) -> Rates:
        """What one unit of `currency` costs in `home`.

        Args:
            first, last: opening of the first bar and knowledge time of the last one to convert (microseconds UTC).

        Raises:
            BadInput: the file has no such pair, or its rates do not cover that time.
        """
        direct, inverse = self.pairs.get((currency, home)), self.pairs.get((home, currency))
        if direct is None and inverse is None:
            known = ", ".join(f"{base}/{quote}" for base, quote in sorted(self.pairs))
            raise BadInput(f"{self.path}: expected rates of {currency}/{home} or {home}/{currency}, found {known}")
        found = direct or Rates(inverse.time, 1.0 / inverse.rate) if inverse else direct
        assert found is not None
        if found.time[0] > last or found.time[-1] < last - MOST_AGE:
            span = f"{iso(int(found.time[0]))} to {iso(int(found.time[-1]))}"
            expected = f"rates of {currency} and {home} of the time of the bars, {iso(first)} to {iso(last)}"
            raise BadInput(f"{self.path}: expected {expected}, found {span}")
        return found


def read_rates(path: Path) -> RateFile:
    """A csv with the columns ts_utc (known from then on), base, quote and rate: what one base costs in the quote.

    Raises:
        BadInput: naming the file, the row and the field.
    """
    times: dict[tuple[str, str], list[int]] = {}
    rates: dict[tuple[str, str], list[float]] = {}
    for row, cells in read_rows(path, FIELDS):
        for field in ("base", "quote"):
            if not CURRENCY.fullmatch(cells[field]):
                raise bad_row(path, row, field, "a code such as USD", repr(cells[field]))
        pair = cells["base"], cells["quote"]
        if pair[0] == pair[1] or pair[::-1] in times:
            expected = "another currency than the base" if pair[0] == pair[1] else f"{pair[1]}/{pair[0]}, as before"
            raise bad_row(path, row, "quote", expected, repr(cells["quote"]))
        time = _time(path, row, cells[TIME])
        known = times.setdefault(pair, [])
        if known and time <= known[-1]:
            expected = f"a time after the one before of {pair[0]}/{pair[1]}, {iso(known[-1])}"
            raise bad_row(path, row, TIME, expected, cells[TIME])
        known.append(time)
        rates.setdefault(pair, []).append(number_of(path, row, "rate", cells["rate"], MOST_RATE))
    return RateFile(path, {pair: Rates(np.array(times[pair], np.int64), np.array(rates[pair])) for pair in times})


def _time(path: Path, row: int, text: str) -> int:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = datetime.min
    if found.utcoffset() != timedelta(0):
        raise bad_row(path, row, TIME, UTC_TIME, repr(text))
    return microseconds(found.astimezone(UTC))
