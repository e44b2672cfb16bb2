"""What a currency is worth in another one, as known at a time: from the prices of a pair, or from the ECB's rates.

A currency without a known rate is absent from what these functions return. It is never worth 0, or 1.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Context, Decimal

from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.rounding import exact

# The ECB publishes on working days; an older rate is of a currency that is no longer quoted.
OLDEST = timedelta(days=10)
RATE_DIGITS = Context(prec=16)  # a float has no more
# The newest value of each series that was published by then; units of the currency for 1 EUR.
ECB = """
    SELECT substr(series.name, 5), newest.value
    FROM unnest(%s::text[]) AS series (name)
    CROSS JOIN LATERAL (
        SELECT o.value FROM records.observations AS o
        WHERE o.series = series.name AND o.knowledge_time <= %s AND o.event_time > %s
        ORDER BY o.event_time DESC LIMIT 1
    ) AS newest
"""
PAIRS = """
    SELECT listing_id, venue, symbol, currency, tick_size, lot_size FROM records.listings
    WHERE currency = %s ORDER BY listing_id
"""
# Of each listing the last close that was known, whatever the bar's length.
CLOSES = """
    SELECT listing.id, newest.close
    FROM unnest(%s::integer[]) AS listing (id)
    CROSS JOIN LATERAL (
        SELECT bar.close
        FROM (SELECT DISTINCT s."interval" FROM records.bar_series AS s WHERE s.listing_id = listing.id) AS series
        CROSS JOIN LATERAL (
            SELECT c.close, c.knowledge_time FROM records.candles AS c
            WHERE c.listing_id = listing.id AND c."interval" = series."interval"
                AND c.knowledge_time <= %s AND c.open_time <= %s AND c.open_time > %s
            ORDER BY c.open_time DESC LIMIT 1
        ) AS bar
        ORDER BY bar.knowledge_time DESC LIMIT 1
    ) AS newest
"""


def known_rates(connection: Connection, home: str, currencies: Iterable[str], *, at: datetime) -> dict[str, Decimal]:
    """What one unit of each currency was worth in `home` by what was known at `at`; those without a rate are absent.

    The last close of a pair (base the currency, quote `home`) comes first, then the cross rate of the ECB's reference
    rates. Neither is older than ten days.
    """
    wanted = {currency for currency in currencies if currency != home}
    rates = {home: Decimal(1)}
    if wanted:
        rates |= _ecb_rates(connection, home, wanted, at)
        rates |= _pair_rates(connection, home, wanted, at)
    return rates


def cross_rate(per_euro: dict[str, Decimal], currency: str, home: str) -> Decimal | None:
    """What one unit of `currency` is in `home`, from units for 1 EUR; None where one of them is not quoted."""
    quoted = {"EUR": Decimal(1), **per_euro}
    if currency not in quoted or home not in quoted:
        return None
    return RATE_DIGITS.divide(quoted[home], quoted[currency])


def _ecb_rates(connection: Connection, home: str, wanted: set[str], at: datetime) -> dict[str, Decimal]:
    series = [f"ECB:{currency}" for currency in sorted({home, *wanted} - {"EUR"})]
    per_euro = {
        currency: exact(value) for currency, value in connection.execute(ECB, [series, at, at - OLDEST]) if value > 0
    }
    crossed = {currency: cross_rate(per_euro, currency, home) for currency in wanted}
    return {currency: rate for currency, rate in crossed.items() if rate is not None}


def _pair_rates(connection: Connection, home: str, wanted: set[str], at: datetime) -> dict[str, Decimal]:
    pairs = [Listing(*row) for row in connection.execute(PAIRS, [home])]
    bases = {pair.listing_id: pair.base for pair in pairs if pair.base in wanted}
    closes = connection.execute(CLOSES, [list(bases), at, at, at - OLDEST]).fetchall() if bases else []
    return {str(bases[listing_id]): exact(close) for listing_id, close in closes}
