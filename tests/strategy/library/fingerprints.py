"""Regression fingerprints: results of the library's strategies on real bars, computed by this code itself.

They detect a change of results, and do not prove a result right. After an intended change, rewrite them and read the
diff: `python -m tests.strategy.library.fingerprints [STRATEGY...]`. Fingerprints on recorded bars are recomputed only
where the shared data is beside the project (STRADES_SHARED).
"""

import hashlib
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from strades_pipelines.analysis import returns
from strades_pipelines.analysis.drawdowns import max_drawdown
from strades_pipelines.simulation.backtest import Bars
from strades_pipelines.strategy.registry import strategies
from tests.conftest import SHARED
from tests.strategy.library.data import DAY, MINUTE, packaged, recorded
from tests.strategy.library.running import run
from tests.strategy.library.test_compiled import SEVERAL

FILE = Path(__file__).with_name("fingerprints.toml")
# Files below data/ohlcv beside the project, and the interval of their bars; "stocks" are packaged.
RECORDED = {
    "bitcoin_days": ("crypto/coinbase_btcusd_1d.csv.gz", DAY),
    "ibm_minutes": ("equity/ibm_1m.csv.gz", MINUTE),
    "euro_days": ("fx/oanda_eurusd_1d_bid.csv.gz", DAY),
}
WITHOUT_VOLUME = "euro_days"


@dataclass(frozen=True)
class Case:
    """A strategy on a data set."""

    strategy: str
    data: str

    @property
    def name(self) -> str:
        """Its key in the file."""
        return f"{self.strategy}.{self.data}"

    def bars(self) -> list[Bars]:
        """The bars of the data set."""
        if self.data == "stocks":
            return [packaged(symbol, "2005-01-01") for symbol in ("AAPL", "IBM", "MSFT")]
        file, step = RECORDED[self.data]
        return [recorded(SHARED / "data" / "ohlcv" / file, step)]

    def has_bars(self) -> bool:
        """Whether the bars of the data set are on this machine."""
        return self.data == "stocks" or (SHARED / "data" / "ohlcv" / RECORDED[self.data][0]).exists()

    def compute(self) -> dict[str, Any]:
        """Backtest the strategy and return the fingerprint of the result."""
        result = run(strategies()[self.strategy](), self.bars())
        change = returns.simple_returns(result.equity)
        return {
            "fills": len(result.fills),
            "decisions": len(result.decisions),
            "equity": float(result.equity[-1]),
            "fees": result.fees,
            "max_drawdown": float(max_drawdown(result.equity)),
            "sharpe": float(returns.sharpe_ratio(change)) if np.any(change) else 0.0,
            "sha256": hashlib.sha256(np.ascontiguousarray(result.fills, "<f8").tobytes()).hexdigest(),
        }


def cases() -> Iterator[Case]:
    """Every strategy on the packaged stocks; strategies of one instrument on the recorded bars too."""
    for name in sorted(strategies()):
        yield Case(name, "stocks")
        for data in RECORDED if name not in SEVERAL else ():
            if not (data == WITHOUT_VOLUME and name in ("mfi_reversion", "vwap_reversion")):
                yield Case(name, data)


@cache
def stored_fingerprints() -> dict[str, dict[str, Any]]:
    """The fingerprints in fingerprints.toml, by case name."""
    tables = tomllib.loads(FILE.read_text())
    return {f"{strategy}.{data}": value for strategy, rows in tables.items() for data, value in rows.items()}


def main(strategies_named: Sequence[str]) -> None:
    """Recompute the fingerprints of these strategies, or of all, and rewrite the file."""
    stored = stored_fingerprints()
    lines = [
        "# Regression fingerprints, computed by this code itself: they detect changes, they prove no result right.",
        "# Rewritten by: python -m tests.strategy.library.fingerprints",
    ]
    for case in cases():
        is_recomputed = case.has_bars() and (not strategies_named or case.strategy in strategies_named)
        values = case.compute() if is_recomputed else stored.get(case.name)
        if values is not None:
            lines += ["", f"[{case.name}]", *(f"{name} = {_toml(value)}" for name, value in values.items())]
    FILE.write_text("\n".join(lines) + "\n")


def _toml(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


if __name__ == "__main__":
    main(sys.argv[1:])
