"""Regression fingerprints: what the library's strategies come to on real bars, from our own output.

They say only that something changed, never that it is right. After a change that is meant, rewrite them and read the
difference: `python -m tests.strategy.library.fingerprints [STRATEGY...]`. Those on recorded bars are taken where the
shared data is beside the project (STRADES_SHARED), and stay as they are elsewhere.
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
# Files below data/ohlcv beside the project, and how long their bars last; "stocks" are packaged.
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

    def is_at_hand(self) -> bool:
        """Whether its bars are on this machine."""
        return self.data == "stocks" or (SHARED / "data" / "ohlcv" / RECORDED[self.data][0]).exists()

    def take(self) -> dict[str, Any]:
        """The fingerprint."""
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
    """Every strategy on the packaged stocks; those for one instrument on the recorded bars too."""
    for name in sorted(strategies()):
        yield Case(name, "stocks")
        for data in RECORDED if name not in SEVERAL else ():
            if not (data == WITHOUT_VOLUME and name in ("mfi_reversion", "vwap_reversion")):
                yield Case(name, data)


@cache
def known() -> dict[str, dict[str, Any]]:
    """The fingerprints of the file, by the names of their cases."""
    tables = tomllib.loads(FILE.read_text())
    return {f"{strategy}.{data}": value for strategy, rows in tables.items() for data, value in rows.items()}


def main(strategies_named: Sequence[str]) -> None:
    """Take the fingerprints of these strategies anew, of all where none is named."""
    before = known()
    lines = [
        "# Regression fingerprints, taken from our own output only to notice changes: they prove nothing right.",
        "# Rewritten by: python -m tests.strategy.library.fingerprints",
    ]
    for case in cases():
        taken = case.is_at_hand() and (not strategies_named or case.strategy in strategies_named)
        values = case.take() if taken else before.get(case.name)
        if values is not None:
            lines += ["", f"[{case.name}]", *(f"{name} = {_toml(value)}" for name, value in values.items())]
    FILE.write_text("\n".join(lines) + "\n")


def _toml(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


if __name__ == "__main__":
    main(sys.argv[1:])
