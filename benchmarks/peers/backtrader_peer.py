"""backtrader: next() for each bar, its means computed ahead (runonce), no observers."""

import datetime

import backtrader as bt
from common import CASH, FAST, FEE, SLOW, bars, report


class Feed(bt.feed.DataBase):  # type: ignore[misc]
    """Bars from a list of rows, a minute apart."""

    params = (("rows", None),)

    def start(self):  # type: ignore[no-untyped-def]
        """Before the first bar."""
        super().start()
        self.rows = enumerate(self.p.rows)
        self.day = bt.date2num(datetime.datetime(2020, 1, 1))

    def _load(self):  # type: ignore[no-untyped-def]
        k, row = next(self.rows, (0, None))
        if row is None:
            return False
        lines = self.lines
        lines.open[0], lines.high[0], lines.low[0], lines.close[0], lines.volume[0] = row
        lines.openinterest[0], lines.datetime[0] = 0.0, self.day + (k + 1) / 1440.0
        return True


class Cross(bt.Strategy):  # type: ignore[misc]
    """One unit while the fast mean is above."""

    def __init__(self):  # type: ignore[no-untyped-def]
        mean = bt.ind.SMA
        self.means = [(data, mean(data.close, period=FAST), mean(data.close, period=SLOW)) for data in self.datas]
        self.fills = 0

    def notify_order(self, order):  # type: ignore[no-untyped-def]
        """Count what is done."""
        self.fills += order.status == order.Completed

    def next(self):  # type: ignore[no-untyped-def]
        """Compare at the close."""
        for data, fast, slow in self.means:
            held = self.getposition(data).size
            if fast[0] > slow[0] and not held:
                self.buy(data, size=1)
            elif fast[0] <= slow[0] and held:
                self.sell(data, size=1)


def run() -> tuple[int, float]:
    """All instruments."""
    cerebro = bt.Cerebro(stdstats=False)
    for k, rows in enumerate(ROWS):
        cerebro.adddata(Feed(rows=rows), name=str(k))
    cerebro.addstrategy(Cross)
    cerebro.broker.setcash(CASH)
    cerebro.broker.setcommission(commission=FEE)
    [strategy] = cerebro.run()
    return strategy.fills, cerebro.broker.getvalue() - CASH


ROWS = [one.tolist() for one in bars()]
report(bt.__version__, sum(map(len, ROWS)), run)
