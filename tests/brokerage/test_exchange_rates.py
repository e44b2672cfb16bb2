"""Rates as they were known: ECB reference rates crossed, and closes of pairs."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from strades_pipelines.brokerage.exchange_rates import cross_rate, known_rates
from tests.brokerage.conftest import BTC, MINUTE, START, AddCandles, Connection

DAY = timedelta(days=1)
PUBLISHED = datetime(2024, 1, 2, 15, tzinfo=UTC)  # 16:00 in Frankfurt


@pytest.fixture
def ecb(market: Connection) -> Connection:
    """What the ECB published on 2024-01-02, known at 15:00 UTC: units for 1 EUR."""
    for currency, value in (("USD", 1.0956), ("GBP", 0.86645), ("JPY", 155.92)):
        market.execute(
            "INSERT INTO records.observations VALUES (%s, %s, %s, 'rate', NULL, %s, 'assumed', 1, %s)",
            [f"ECB:{currency}", START, value, PUBLISHED, PUBLISHED],
        )
    market.commit()
    return market


def test_a_cross_rate_goes_through_the_euro(ecb: Connection) -> None:
    rates = known_rates(ecb, "USD", ["EUR", "GBP", "USD"], at=PUBLISHED)
    assert rates["USD"] == 1
    assert rates["EUR"] == Decimal("1.0956")
    # 1.0956 dollars and 0.86645 pounds are one euro.
    assert float(rates["GBP"]) == pytest.approx(1.0956 / 0.86645)
    assert float(known_rates(ecb, "EUR", ["JPY"], at=PUBLISHED)["JPY"]) == pytest.approx(1 / 155.92)


def test_a_rate_is_not_known_before_it_is_published_nor_ten_days_later(ecb: Connection) -> None:
    assert known_rates(ecb, "USD", ["EUR"], at=PUBLISHED - MINUTE) == {"USD": 1}
    assert known_rates(ecb, "USD", ["EUR"], at=START + 9 * DAY) != {"USD": 1}
    assert known_rates(ecb, "USD", ["EUR"], at=START + 11 * DAY) == {"USD": 1}


def test_a_currency_that_nobody_quotes_is_absent(ecb: Connection) -> None:
    assert known_rates(ecb, "USD", ["GT", "GBP"], at=PUBLISHED).keys() == {"USD", "GBP"}
    assert known_rates(ecb, "USDT", ["EUR"], at=PUBLISHED) == {"USDT": 1}
    assert cross_rate({}, "EUR", "USD") is None


def test_a_pair_gives_its_last_known_close(market: Connection, add_candles: AddCandles) -> None:
    market.execute("INSERT INTO records.bar_series VALUES (%s, '1m', 'gateio', %s, NULL, 60, NULL, 0)", [BTC, START])
    add_candles([100.0, 101.5])
    assert known_rates(market, "USDT", ["BTC", "ETH"], at=START + 1.5 * MINUTE) == {"USDT": 1, "BTC": 100}
    assert known_rates(market, "USDT", ["BTC"], at=START + 2 * MINUTE)["BTC"] == Decimal("101.5")
