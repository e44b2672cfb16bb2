"""Factor files of LEAN: what raw prices are multiplied with to be adjusted for splits and dividends."""

import csv
import math
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from pathlib import Path

import numpy as np

from strades_pipelines.bad_input import BadInput, bad_row
from strades_pipelines.engine.columns import Floats, Integers
from strades_pipelines.system.regular_files import read_regular

MOST_BYTES = 50_000_000
DATE = "datetime64[D]"
FIELDS = ("date", "price factor", "split factor", "reference price")


@dataclass(frozen=True)
class Factors:
    """Rows oldest first: `dates` as days since 1970, `price` and `split` factors, shape (n,).

    A row holds for the sessions up to and including its date, down to the row before it; after the last row both are 1.
    """

    dates: Integers
    price: Floats
    split: Floats

    def apply(self, days: Integers, prices: Floats) -> Floats:
        """Adjusted bars, a new array of shape (5, n): prices x price factor x split factor, volume / split factor.

        Args:
            days: the session of each bar, as days since 1970, shape (n,).
            prices: open, high, low, close, volume.
        """
        row = np.searchsorted(self.dates, days, side="left")
        price, split = (np.append(factor, 1.0)[row] for factor in (self.price, self.split))
        adjusted: Floats = prices * (price * split)
        adjusted[4] = prices[4] / split
        return adjusted


def read_factors(path: Path) -> Factors:
    """A factor file: csv without a header; date (YYYYMMDD), price factor, split factor, reference price (not used).

    Raises:
        BadInput: naming the file, the row and the field.
    """
    try:
        text = read_regular(path, most_bytes=MOST_BYTES).decode("utf-8-sig")
        rows = [row for row in csv.reader(StringIO(text, newline="")) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadInput(f"{path}: expected a readable factor file, found {' '.join(reason.split())}") from None
    if not rows:
        raise BadInput(f"{path}: expected rows of {', '.join(FIELDS)}, found an empty file")
    dates = np.array([_date(path, k, row) for k, row in enumerate(rows, 1)], DATE).astype(np.int64)
    for k in np.flatnonzero(np.diff(dates) <= 0).tolist():
        raise bad_row(path, k + 2, "date", "a date after the one of the row before", rows[k + 1][0])
    price, split = (np.array([_factor(path, k, row, at) for k, row in enumerate(rows, 1)]) for at in (1, 2))
    return Factors(dates, price, split)


def _date(path: Path, number: int, row: list[str]) -> str:
    if len(row) not in (3, 4):
        raise bad_row(path, number, "date", f"{', '.join(FIELDS)}", f"{len(row)} cells")
    try:
        return datetime.strptime(row[0].strip(), "%Y%m%d").date().isoformat()
    except ValueError:
        raise bad_row(path, number, "date", "a date such as 20140609", repr(row[0])) from None


def _factor(path: Path, number: int, row: list[str], at: int) -> float:
    try:
        factor = float(row[at])
    except ValueError:
        factor = math.nan
    if not (math.isfinite(factor) and factor > 0.0):
        raise bad_row(path, number, FIELDS[at], "a number above 0", repr(row[at]))
    return factor
