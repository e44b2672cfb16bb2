from datetime import timedelta
from decimal import Decimal

import pytest

from strades_pipelines.market.instruments import Listing, interval_length


@pytest.mark.parametrize(
    ("interval", "length"),
    [("1m", timedelta(minutes=1)), ("4h", timedelta(hours=4)), ("1d", timedelta(days=1)), ("2w", timedelta(days=14))],
)
def test_an_interval_has_a_length(interval: str, length: timedelta) -> None:
    assert interval_length(interval) == length


@pytest.mark.parametrize("interval", ["", "m", "0m", "1M", "1 m", "15"])
def test_what_is_no_interval_is_refused(interval: str) -> None:
    with pytest.raises(ValueError, match="expected a number and one of"):
        interval_length(interval)


@pytest.mark.parametrize(
    ("symbol", "currency", "base"),
    [
        ("BTC_USDT", "USDT", "BTC"),
        ("BTCUSDT", "USDT", "BTC"),
        ("BTC-USD", "USD", "BTC"),
        ("ETH/BTC", "BTC", "ETH"),
        ("AAPL", "USD", None),
        ("USD", "USD", None),
    ],
)
def test_a_unit_of_a_pair_is_its_base_currency(symbol: str, currency: str, base: str | None) -> None:
    assert Listing(1, "v", symbol, currency, Decimal(1), Decimal(1)).base == base
