"""How many valuations make a year: what every annualised figure is scaled with."""

import numpy as np

from strades_pipelines.analysis.arrays import DAY, YEAR, Floats, Ints

SATURDAY = 2  # days since 1970-01-01, a Thursday, modulo 7
WIDE = 200  # more days a year than this is a market open on every business day
CONVENTIONS = (52.0, 12.0, 4.0, 1.0)


def days_per_year(times: Ints) -> float:
    """Trading days in a year, from the distinct UTC days among the valuations.

    The rate is (distinct days - 1) / (last day - first day) x 365.25. Over 200: 365 where a Saturday is among them (a
    market that never closes), else 252, the convention, however many holidays this sample holds. Else weekly, monthly,
    quarterly or yearly (52, 12, 4, 1) when within 5 %, else the rate itself. One day only: 365 or 252. None: nan.
    """
    days = np.unique(times // DAY)
    if len(days) == 0:
        return np.nan
    rate = (len(days) - 1) / (days[-1] - days[0]) * 365.25 if len(days) > 1 else 365.25
    if rate > WIDE:
        return 365.0 if np.any(days % 7 == SATURDAY) else 252.0
    return next((named for named in CONVENTIONS if abs(rate / named - 1) <= 0.05), float(rate))


def periods_per_year(times: Ints) -> float:
    """Valuations in a year: the median count on a distinct UTC day times the trading days of a year.

    The median, so that half days, a first and a last day cut short, and a Sunday's two hours do not count. Daily bars
    of a stock 252, hourly ones of a coin 8760, minutes of a 6.5 hour session 98280. Fewer than two valuations: nan.
    """
    if len(times) < 2:
        return np.nan
    _, counts = np.unique(times // DAY, return_counts=True)
    return float(np.median(counts)) * days_per_year(times)


def years(times: Ints) -> float:
    """Calendar time from the first valuation to the last, in years of 365.25 days. nan when there is none."""
    return float(times[-1] - times[0]) / YEAR if len(times) > 1 and times[-1] > times[0] else np.nan


def daily(times: Ints, equity: Floats) -> tuple[Ints, Floats]:
    """The last valuation of each UTC day: what bootstraps and charts of a long intraday run are made from."""
    # Behind the last row another day begins.
    last = np.flatnonzero(np.diff(times // DAY, append=np.iinfo(np.int64).max))
    return times[last], equity[last]
