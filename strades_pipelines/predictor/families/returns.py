"""Returns: how far a holder came, dividends included."""

import numpy as np

from strades_pipelines.predictor.feature import Compute, Feature
from strades_pipelines.predictor.feature_inputs import Known
from strades_pipelines.predictor.windows import earlier, log_change

PRICES = ("close", "total_return_factor")
LOG_RETURN = "Campbell, Lo, MacKinlay, The Econometrics of Financial Markets (1997), 1.4"


def _over(lag: int) -> Compute:
    return lambda known: log_change(known.bars.growth, lag)


def _overnight(known: Known) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    bars = known.bars
    return np.log(bars.open * bars.factor / earlier(bars.growth))


def _return(lag: int) -> Feature:
    sessions = "1 session" if lag == 1 else f"{lag} sessions"
    formula = f"ln(growth / growth {sessions} ago)" + ("; growth = close * factor" if lag == 1 else "")
    return Feature(f"return_{lag}", "returns", formula, lag + 1, PRICES, LOG_RETURN, _over(lag))


RETURNS = tuple(_return(lag) for lag in (1, 5, 20))
MORE_RETURNS = (
    _return(2),
    _return(10),
    _return(60),
    Feature(
        "overnight_return", "returns", "ln(open * factor / growth 1 session ago)", 2, ("open", *PRICES), LOG_RETURN,
        _overnight,
    ),
    Feature(
        "intraday_return", "returns", "ln(close / open)", 1, ("open", "close"), LOG_RETURN,
        lambda known: np.log(known.bars.close / known.bars.open),
    ),
)  # fmt: skip
