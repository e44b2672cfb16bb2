"""A whole run for the tests that show one."""

from strades_pipelines.analysis.arrays import DAY
from strades_pipelines.analysis.excursions import Bars
from strades_pipelines.analysis.fills import Fills
from strades_pipelines.analysis.significance_report import significance_report
from strades_pipelines.analysis.statistics import summary
from strades_pipelines.analysis.tearsheet.sheet import TearSheet
from strades_pipelines.analysis.trades import round_trips
from tests.analysis.series import business_days, random_equity

TIMES = business_days("2022-01-03", 501)
EQUITY = random_equity(8, 500)


def run(**changes: object) -> TearSheet:
    """Two years of days, ten round trips and one still open."""
    price = random_equity(9, 500) / 1000
    rows = range(10, 220, 10)
    quantities = [100.0 if k % 2 == 0 else -100.0 for k in range(len(rows))]
    fills = Fills.of(TIMES[list(rows)] - DAY // 3, [0] * len(rows), quantities, price[list(rows)], fee=1.0)
    trades = round_trips(fills, bars={0: Bars(TIMES, price * 1.01, price * 0.99)}, marks={0: float(price[-1])})
    fields = {
        "title": "A run",
        "times": TIMES,
        "equity": EQUITY,
        "figures": summary(TIMES, EQUITY, fills=fills, trades=trades, benchmark=price),
        "trades": trades,
        "significance": significance_report(TIMES, EQUITY, trades=trades, samples=50),
        "benchmark": price,
        "names": {0: "XNYS:ACME"},
        "details": {"Strategy": "sma_cross"},
    }
    return TearSheet(**(fields | changes))  # type: ignore[arg-type]
