"""What a backtest says to programs: the document of `strades backtest --json`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from strades_pipelines.analysis.arrays import finite_or_none
from strades_pipelines.analysis.returns import monthly_returns
from strades_pipelines.analysis.significance_report import Significance, significance_report
from strades_pipelines.analysis.statistics import summary
from strades_pipelines.analysis.trials import Trial
from strades_pipelines.bad_input import BadInput
from strades_pipelines.bars.bar_checks import iso
from strades_pipelines.engine.columns import Floats, Integers
from strades_pipelines.research.json_rows import Rows, choices, numbers, times
from strades_pipelines.research.study import Run
from strades_pipelines.simulation.backtest import Bars
from strades_pipelines.strategy.orders import ACCEPTED, INSUFFICIENT_CASH, OUTCOMES

SIDES = ("buy", "sell")
DRAWS = 2_000_000  # of trades, for the bands over their order: a sixth of a second
DIRECTIONS = ("short", "long")


def statistics(run: Run, other: Bars | None = None) -> dict[str, float | int | None]:
    """Every figure of a run; the benchmark is `other`, or else the instrument itself where there is one.

    Raises:
        BadInput: the benchmark begins after the first valuation.
    """
    result = run.result
    with np.errstate(all="ignore"):
        exposure = result.gross / result.equity
    against = run.study.bars[0] if other is None and len(run.study.bars) == 1 else other
    benchmark = _closes(against, result.times) if against is not None and len(result.times) else None
    return summary(
        result.times,
        result.equity,
        exposure=exposure,
        fills=run.fills,
        trades=run.trades,
        benchmark=benchmark,
        start=run.study.terms.cash,
        sessions=run.sessions,
    )


def _closes(bars: Bars, times: Integers) -> Floats:
    """The last close of an instrument at each time, with its splits and dividends."""
    last = np.searchsorted(bars.time, times, side="right") - 1
    if last[0] < 0:
        raise BadInput(f"--benchmark: expected a bar of {bars.name} before {iso(times[0])}, found the first at its end")
    close = bars.prices[3]
    rate = bars.rates.at(times) if bars.rates else 1.0
    return np.asarray((bars.actions.total_return(bars.time, close) if bars.actions else close)[last] * rate)


def months(run: Run) -> dict[str, dict[str, float | None]]:
    """The return of each month by year and month; a bar is of the month of its session."""
    found: dict[str, dict[str, float | None]] = {}
    for year, month, value in monthly_returns(run.sessions, run.result.equity, run.study.terms.cash):
        found.setdefault(str(year), {})[str(month)] = finite_or_none(value)
    return found


def significance_of(run: Run, trials: Sequence[Trial]) -> Significance:
    """The significance of the run given all trials on its data; with very many trades the bands have fewer samples."""
    samples = min(1_000, max(100, DRAWS // max(1, len(run.trades))))
    cash = run.study.terms.cash
    return significance_report(
        run.sessions, run.result.equity, trades=run.trades, trials=trials, samples=samples, start=cash
    )


def document(run: Run, figures: dict[str, float | int | None], found: Significance) -> dict[str, Any]:
    """The document; a table is written row by row when it is printed."""
    result = run.result
    return {
        "fills": _fills(run),
        "orders": _orders(run),
        "trades": _trades(run),
        "cash": finite_or_none(result.account.cash),
        "equity": finite_or_none(result.account.equity),
        "fees": finite_or_none(float(run.fills.fee.sum())),
        "equity_curve": Rows(
            len(result.times), {"time": times(result.times), "value": numbers(result.equity)}, as_objects=False
        ),
        "best_case": {"equity": finite_or_none(run.best_equity)},
        "statistics": figures,
        "months": months(run),
        "worth": _significance(found),
        "refused": refused(run),
        "cut": cut(run),
        "margin_calls": result.margin_calls,
        "ruined_at": None if result.ruined_at is None else iso(result.ruined_at),
        "mode": result.mode,
        "not_compiled": result.not_compiled,
        "data_hash": run.study.data_hash,
        "code_hash": run.trial.code_hash,
        "strategy": run.strategy.title(),
        "parameters": run.strategy.parameters,
        "options": dict(run.study.options),
    }


def refused(run: Run) -> dict[str, int]:
    """How many decisions the gate refused, by reason."""
    outcomes, counts = np.unique(run.result.column("decisions", "outcome").astype(np.int64), return_counts=True)
    found = zip(outcomes.tolist(), counts.tolist(), strict=True)
    return {OUTCOMES[outcome]: count for outcome, count in found if outcome != ACCEPTED}


def cut(run: Run) -> int:
    """How many purchases were cut, by a part or whole, to what the cash paid when they were filled."""
    return int(np.count_nonzero(run.result.column("orders", "reason") == INSUFFICIENT_CASH))


def _fills(run: Run) -> Rows:
    result = run.result
    quantity, number = result.column("fills", "quantity"), result.column("fills", "order").astype(np.int64)
    reason = np.zeros(len(number), np.int64)
    reason[number == 0] = 1
    if result.ruined_at is not None:
        reason[(number == 0) & (result.column("fills", "time") == result.ruined_at)] = 3
    reason[_of_splits(run)] = 4
    # Not `-closed`, which of none would be all of them.
    reason[len(reason) - run.closed :] = 2
    return Rows(
        len(number),
        {
            "time": times(result.column("fills", "filled_at")),
            "instrument": choices(result.names, result.column("fills", "i")),
            "side": choices(SIDES, quantity < 0.0),
            "quantity": numbers(np.abs(quantity)),
            "price": numbers(result.column("fills", "price")),
            "fee": numbers(result.column("fills", "fee")),
            "rate": numbers(run.rates),
            "order": numbers(number),
            "reason": choices((None, "delisted", "close_at_end", "liquidated", "split"), reason),
        },
    )


def _of_splits(run: Run) -> Integers:
    """The fills that pay out what is no whole lot after a split."""
    of_none = np.flatnonzero(run.result.column("fills", "order") == 0.0)
    i, time = (run.result.column("fills", name)[of_none] for name in ("i", "time"))
    known = {k: one.actions.time[one.actions.ratio != 1.0] for k, one in enumerate(run.study.bars) if one.actions}
    return of_none[[int(k) in known and at in known[int(k)] for k, at in zip(i, time, strict=True)]]


def _orders(run: Run) -> Rows:
    from strades_pipelines.research.order_rows import ended_orders

    orders, result = ended_orders(run.result), run.result
    return Rows(
        len(orders.number),
        {
            "order": numbers(orders.number),
            "time": times(orders.time),
            "instrument": choices(result.names, orders.i),
            "side": choices(SIDES, orders.quantity < 0.0),
            "quantity": numbers(np.abs(orders.quantity)),
            "filled": numbers(np.abs(orders.filled)),
            "state": choices(orders.states, orders.state),
            "reason": choices((*OUTCOMES, None), orders.reason),
        },
    )


def _trades(run: Run) -> Rows:
    trades = run.trades
    return Rows(
        len(trades),
        {
            "instrument": choices(run.result.names, trades.i),
            "side": choices(DIRECTIONS, trades.direction > 0),
            "quantity": numbers(trades.quantity),
            "entry_time": times(trades.entry_time),
            "exit_time": times(trades.exit_time),
            "entry_price": numbers(trades.entry_price),
            "exit_price": numbers(trades.exit_price),
            "fee": numbers(trades.fee),
            "profit": numbers(trades.profit),
            "return": numbers(trades.return_),
            "is_open": choices((False, True), trades.is_open),
            "bars_held": numbers(trades.bars_held),
            "mae": numbers(trades.mae),
            "mfe": numbers(trades.mfe),
        },
    )


def _significance(found: Significance) -> dict[str, Any]:
    said = found.as_json()
    bands = {name: said.pop(name) for name in ("bootstrap", "shuffle")}
    return {**said, "bands": bands}
