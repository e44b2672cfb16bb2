"""What the wallets that trade hold, at the last closes that were known: the same figures as `strades context`."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from dashboard.gateway.reading import read
from strades_pipelines.market.rounding import exact

WALLETS = """
    SELECT w.wallet, w.mode, w.broker, w.strategy, w.currency, w."interval", w.opened_at, w.opening_cash, s.state,
        s.reason, c.balance AS cash, orders.working, orders.unknown,
        (SELECT max(d.decided_at) FROM signals.decisions AS d WHERE d.wallet = w.wallet) AS decided_at
    FROM trading.wallets AS w
    INNER JOIN trading.wallet_states AS s ON s.wallet = w.wallet
    LEFT JOIN trading.cash AS c ON c.wallet = w.wallet AND c.currency = w.currency
    CROSS JOIN LATERAL (
        SELECT count(*) AS working, count(*) FILTER (WHERE o.state = 'unknown') AS unknown FROM trading.orders AS o
        WHERE o.wallet = w.wallet AND o.state NOT IN ('filled', 'cancelled', 'replaced', 'rejected', 'expired')
    ) AS orders
    WHERE w.mode <> 'replay' AND s.state <> 'retired' ORDER BY w.wallet
"""
POSITIONS = """
    SELECT p.wallet, p.listing_id, l.venue || ':' || l.symbol AS instrument, p.quantity, p.average_price,
        bar.close, bar.close_time AS priced_at
    FROM trading.positions AS p
    INNER JOIN trading.wallets AS w ON w.wallet = p.wallet
    INNER JOIN records.listings AS l ON l.listing_id = p.listing_id
    LEFT JOIN LATERAL ({bars}) AS bar ON true
    WHERE w.mode <> 'replay' AND w.state <> 'retired' AND p.quantity <> 0 ORDER BY p.wallet, instrument
"""
CANDLE = """
    SELECT c.close, c.close_time FROM records.candles AS c
    WHERE w."interval" <> '1d' AND c.listing_id = p.listing_id AND c."interval" = w."interval"
        AND c.knowledge_time <= %(now)s
    ORDER BY c.open_time DESC LIMIT 1
"""
DAY = """
    SELECT d.close, d.close_time FROM cleaned.daily_bars AS d
    WHERE w."interval" = '1d' AND d.listing_id = p.listing_id AND d.knowledge_time <= %(now)s
    ORDER BY d.open_time DESC LIMIT 1
"""


@dataclass(frozen=True)
class HeldPosition:
    """Units of a listing; `price` is the last known close, None where there is none."""

    wallet: str
    listing_id: int
    instrument: str
    quantity: Decimal
    average_price: Decimal
    close: float | None
    priced_at: datetime | None

    @property
    def price(self) -> Decimal | None:
        """The close as a decimal."""
        return None if self.close is None else exact(self.close)

    @property
    def value(self) -> Decimal | None:
        """Units at the last close; never at what they cost."""
        return None if self.price is None else self.quantity * self.price

    @property
    def gain(self) -> Decimal | None:
        """What they are worth beyond what was paid for them, fees apart."""
        return None if self.price is None else self.quantity * (self.price - self.average_price)


@dataclass
class WalletHolding:
    """A wallet that trades; money in its currency."""

    wallet: str
    mode: str
    broker: str
    strategy: str
    currency: str
    interval: str
    opened_at: datetime
    opening_cash: Decimal
    state: str
    reason: str | None
    cash: Decimal | None
    working: int
    unknown: int
    decided_at: datetime | None
    positions: list[HeldPosition] = field(default_factory=list)

    @property
    def equity(self) -> Decimal | None:
        """Cash and positions; None where a position has no price, since a part of it would be a wrong figure."""
        values = [position.value for position in self.positions]
        if self.cash is None or None in values:
            return None
        return self.cash + sum((value for value in values if value is not None), Decimal(0))

    @property
    def unpriced(self) -> list[str]:
        """The instruments that are held and have no price."""
        return [position.instrument for position in self.positions if position.value is None]

    @property
    def as_of(self) -> datetime | None:
        """The oldest of the closes that it is valued at."""
        return min((position.priced_at for position in self.positions if position.priced_at), default=None)


def read_holdings(*, now: datetime, has_daily_bars: bool) -> list[WalletHolding]:
    """The wallets that trade, by name. Two queries."""
    wallets = {row.wallet: row for row in read(WalletHolding, WALLETS)}
    bars = f"(({CANDLE}) UNION ALL ({DAY}))" if has_daily_bars else CANDLE
    for position in read(HeldPosition, POSITIONS.replace("{bars}", bars), now=now):
        if position.wallet in wallets:
            wallets[position.wallet].positions.append(position)
    return list(wallets.values())
