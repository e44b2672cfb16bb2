"""Figures of closed trades. All nan without a trade; profits are money after fees."""

import numpy as np

from strades_pipelines.analysis.arrays import Floats
from strades_pipelines.analysis.returns import deviation
from strades_pipelines.analysis.trades import Trades


def hit_rate(profit: Floats) -> float:
    """Share of trades that made money; one that made exactly nothing did not."""
    return float(np.mean(profit > 0)) if len(profit) else np.nan


def profit_factor(profit: Floats) -> float:
    """What the winners made over what the losers lost. nan when nothing was lost."""
    lost = -float(np.sum(profit[profit < 0]))
    return float(np.sum(profit[profit > 0])) / lost if lost > 0 else np.nan


def expectancy(profit: Floats) -> float:
    """Mean profit of a trade: hit rate x average win - miss rate x average loss (Tharp, "Trade Your Way ...", 1998)."""
    return mean(profit)


def sqn(profit: Floats) -> float:
    """System quality number: sqrt(n) x mean / sample deviation of the profits (Tharp). nan without variation.

    n is not capped at 100, as in backtesting.py; profits are money instead of multiples of a risk that no fill tells.
    """
    spread = deviation(profit)
    return float(np.sqrt(len(profit)) * np.mean(profit) / spread) if spread > 0 else np.nan


def mean(values: Floats) -> float:
    """The mean; nan, without a warning, of nothing."""
    return float(np.mean(values)) if len(values) else np.nan


def trade_statistics(trades: Trades) -> dict[str, float]:
    """The figures of the closed trades by their names in the summary."""
    closed = trades.closed()
    profit = closed.profit
    return {
        "trades": len(closed),
        "open_trades": len(trades) - len(closed),
        "hit_rate": hit_rate(profit),
        "profit_factor": profit_factor(profit),
        "expectancy": expectancy(profit),
        "expectancy_return": mean(closed.return_),
        "sqn": sqn(profit),
        "average_win": mean(profit[profit > 0]),
        "average_loss": mean(profit[profit < 0]),
        "best_trade": float(np.max(profit)) if len(profit) else np.nan,
        "worst_trade": float(np.min(profit)) if len(profit) else np.nan,
        "average_bars_held": mean(closed.bars_held),
        "average_mae": mean(closed.mae),
        "average_mfe": mean(closed.mfe),
    }
