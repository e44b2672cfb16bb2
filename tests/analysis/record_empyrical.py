"""Records what empyrical-reloaded says of two series in expected/empyrical.json. Run by hand, apart from the project:

    uv run --no-project --with empyrical-reloaded==0.7.1 python tests/analysis/record_empyrical.py

Apart, because the library brings bottleneck, which changes how pandas adds numbers wherever it is installed.
"""

import json
import random
from pathlib import Path

import empyrical  # type: ignore[import-not-found]
import numpy as np

PERIODS = 252


def main() -> None:
    draws = random.Random(20140731)
    returns = [round(draws.gauss(0.0006, 0.013), 6) for _ in range(750)]
    benchmark = [round(0.6 * r + draws.gauss(0.0002, 0.007), 6) for r in returns]
    own, market = np.array(returns), np.array(benchmark)
    alpha, beta = empyrical.alpha_beta(own, market, annualization=PERIODS)
    expected = {
        "total_return": empyrical.cum_returns_final(own),
        "cagr": empyrical.cagr(own, annualization=PERIODS),
        "annual_volatility": empyrical.annual_volatility(own, annualization=PERIODS),
        "sharpe": empyrical.sharpe_ratio(own, annualization=PERIODS),
        "sharpe_risk_free": empyrical.sharpe_ratio(own, risk_free=0.0001, annualization=PERIODS),
        "sortino": empyrical.sortino_ratio(own, annualization=PERIODS),
        "calmar": empyrical.calmar_ratio(own, annualization=PERIODS),
        "max_drawdown": empyrical.max_drawdown(own),
        "alpha": alpha,
        "beta": beta,
    }
    document = {
        "source": f"empyrical-reloaded {empyrical.__version__}",
        "periods_per_year": PERIODS,
        "returns": returns,
        "benchmark": benchmark,
        "expected": {name: float(value) for name, value in expected.items()},
    }
    file = Path(__file__).parent / "expected" / "empyrical.json"
    file.write_text(json.dumps(document, separators=(",", ":")) + "\n")


main()
