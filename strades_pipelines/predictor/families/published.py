"""FX and rates: published series, each day's value as it was known at the session's close."""

import numpy as np

from strades_pipelines.predictor.feature import Compute, Feature
from strades_pipelines.predictor.feature_inputs import Known
from strades_pipelines.predictor.windows import Floats

ECB = "European Central Bank, euro foreign exchange reference rates"
TREASURY = "US Treasury, daily par yield curve; FRED H.15"
CBOE = "Cboe Volatility Index, as FRED's VIXCLS"
UNPUBLISHED = "missing where a series has no publication, or none in the 10 days before"
TEN_YEARS, TWO_YEARS = ("UST_10Y", "DGS10"), ("UST_2Y", "DGS2")
VIX = "VIXCLS"
PUBLICATIONS = 21  # the longest window of a series


def _recent(known: Known, series: str, count: int) -> Floats:
    return known.published[series][:, -count:]


def _change(series: str, lag: int) -> Compute:
    def compute(known: Known) -> Floats:
        recent = _recent(known, series, lag + 1)
        return np.log(recent[:, -1] / recent[:, 0])

    return compute


def _currency_return(currency: str, lag: int) -> Feature:
    ago = "1 publication" if lag == 1 else f"{lag} publications"
    formula = f"ln(rate / rate {ago} ago) of the ECB's {currency} for 1 EUR, as known"
    series = f"ECB:{currency}"
    name = f"eur{currency.lower()}_return_{lag}"
    return Feature(name, "fx", formula, lag + 1, (series,), ECB, _change(series, lag), UNPUBLISHED)


def _currency_volatility(known: Known) -> Floats:
    change = np.diff(np.log(known.published["ECB:USD"]), axis=1)
    mean = sum(change.T, start=np.zeros(len(change))) / change.shape[1]
    squares = sum(((column - mean) ** 2 for column in change.T), start=np.zeros(len(change)))
    deviation: Floats = np.sqrt(squares / (change.shape[1] - 1))
    return deviation


def _yield(known: Known, series: tuple[str, str], ago: int = 0) -> Floats:
    """The Treasury's own figure, or FRED's of the same yield where that is not known."""
    first, second = (known.published[name][:, -1 - ago] for name in series)
    return np.where(np.isnan(first), second, first)


def _yield_change(known: Known) -> Floats:
    first, second = (known.published[name][:, -1] - known.published[name][:, -6] for name in TEN_YEARS)
    return np.where(np.isnan(first), second, first)


def _yields(name: str, formula: str, window: int, inputs: tuple[str, ...], compute: Compute) -> Feature:
    return Feature(name, "rates", formula, window, inputs, TREASURY, compute, UNPUBLISHED)


FX = (_currency_return("USD", 5),)
MORE_FX = (
    _currency_return("USD", 1),
    _currency_return("USD", 20),
    _currency_return("JPY", 5),
    _currency_return("GBP", 5),
    Feature(
        "eurusd_volatility_20", "fx", "sample standard deviation of the last 20 eurusd_return_1", PUBLICATIONS,
        ("ECB:USD",), ECB, _currency_volatility, UNPUBLISHED,
    ),
)  # fmt: skip
RATES = (
    _yields("yield_10y", "ten-year Treasury yield, percent", 1, TEN_YEARS, lambda known: _yield(known, TEN_YEARS)),
    _yields("yield_10y_change_5", "yield_10y - that of 5 publications ago, percent", 6, TEN_YEARS, _yield_change),
    _yields(
        "term_spread", "ten-year less two-year Treasury yield, percent", 1, (*TEN_YEARS, *TWO_YEARS),
        lambda known: _yield(known, TEN_YEARS) - _yield(known, TWO_YEARS),
    ),
    Feature(
        "vix", "rates", "ln(VIX / 20)", 1, (VIX,), CBOE, lambda known: np.log(known.published[VIX][:, -1] / 20.0),
        UNPUBLISHED,
    ),
    Feature("vix_change_5", "rates", "ln(VIX / VIX 5 publications ago)", 6, (VIX,), CBOE, _change(VIX, 5), UNPUBLISHED),
)  # fmt: skip
SERIES = tuple(dict.fromkeys(name for feature in (*FX, *MORE_FX, *RATES) for name in feature.inputs))
