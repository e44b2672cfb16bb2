"""vectorbt with its Rust engine where that is installed: means, signals one bar on, the portfolio from them."""

import warnings

import numpy as np
import pandas as pd
import vectorbt as vbt
from common import CASH, FEE, bars, pairs, report

warnings.filterwarnings("ignore")
CHUNK = 50  # columns


def engine() -> dict[str, str]:
    """The argument for the Rust engine, where there is one."""
    try:
        vbt.MA.run(pd.Series(np.arange(50.0)), 3, engine="rust")
    except Exception:
        return {}
    return {"engine": "rust"}


ENGINE = engine()


def settle(opened, close, wanted):  # type: ignore[no-untyped-def]
    """Fills and profit of positions wanted at closes."""
    held = np.zeros_like(wanted)
    # What is wanted at a close is held from the next bar on.
    held[1:] = wanted[:-1]
    made = vbt.Portfolio.from_signals(
        close,
        held,
        ~held,
        price=opened,
        size=1.0,
        init_cash=CASH,
        fees=FEE,
        direction="longonly",
        freq="1min",
        **ENGINE,
    )
    return int(np.sum(made.orders.count())), float(np.sum(np.asarray(made.final_value()) - CASH))


def run() -> tuple[int, float]:
    """All pairs over all instruments."""
    mean = {length: np.atleast_2d(vbt.MA.run(CLOSE, length, **ENGINE).ma.to_numpy().T).T for length in LENGTHS}
    fills, profit = 0, 0.0
    for start in range(0, len(PAIRS), CHUNK):
        wanted = np.column_stack([mean[fast] > mean[slow] for fast, slow in PAIRS[start : start + CHUNK]])
        more, gained = settle(OPEN, CLOSE, wanted)
        fills, profit = fills + more, profit + gained
    return fills, profit


PAIRS = pairs()
LENGTHS = sorted({length for pair in PAIRS for length in pair})
DATA = bars()
INDEX = pd.date_range("2020-01-01", periods=len(DATA[0]), freq="min")
OPEN, CLOSE = (pd.DataFrame({k: one[:, at] for k, one in enumerate(DATA)}, index=INDEX) for at in (0, 3))
if len(DATA) == 1:
    OPEN, CLOSE = OPEN[0], CLOSE[0]
run()  # what it compiles is compiled
report(vbt.__version__, sum(map(len, DATA)) * len(PAIRS), run)
