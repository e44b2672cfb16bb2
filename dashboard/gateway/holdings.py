"""What the wallets that trade hold, at the last closes that were known: the same figures as `strades context`."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from dashboard.gateway.reading import read, read_one, snapshot_connection
from strades_pipelines.brokerage.exchange_rates import known_rates
from strades_pipelines.market.rounding import exact

WALLETS = """
    SELECT w.wallet, w.mode, w.broker, w.strategy, w.currency, w."interval", w.opened_at, w.window_end, w.opening_cash,
        s.state, s.reason, c.balance AS cash, orders.working, orders.unknown,
        ARRAY(
            SELECT o.currency FROM trading.cash AS o WHERE o.wallet = w.wallet AND o.currency <> w.currency
            ORDER BY o.currency
        ) AS foreign_currencies,
        ARRAY(
            SELECT o.balance FROM trading.cash AS o WHERE o.wallet = w.wallet AND o.currency <> w.currency
            ORDER BY o.currency
        ) AS foreign_balances,
        (SELECT max(d.decided_at) FROM signals.decisions AS d WHERE d.wallet = w.wallet) AS decided_at
    FROM trading.wallets AS w
    INNER JOIN trading.wallet_states AS s ON s.wallet = w.wallet
    LEFT JOIN trading.cash AS c ON c.wallet = w.wallet AND c.currency = w.currency
    CROSS JOIN LATERAL (
        SELECT count(*) AS working, count(*) FILTER (WHERE o.state = 'unknown') AS unknown FROM trading.orders AS o
        WHERE o.wallet = w.wallet AND o.state NOT IN ('filled', 'cancelled', 'replaced', 'rejected', 'expired')
    ) AS orders
    WHERE {which} ORDER BY w.wallet
"""
# Which wallets are read: those that trade, or one of any kind.
TRADING, ONE = "w.mode <> 'replay' AND w.state <> 'retired'", "w.wallet = %(wallet)s"
POSITIONS = """
    SELECT p.wallet, p.listing_id, l.venue || ':' || l.symbol AS instrument, p.quantity, p.average_price,
        p.cost, p.realised, bar.close, bar.close_time AS priced_at
    FROM trading.positions AS p
    INNER JOIN trading.wallets AS w ON w.wallet = p.wallet
    INNER JOIN records.listings AS l ON l.listing_id = p.listing_id
    LEFT JOIN LATERAL ({bars}) AS bar ON true
    WHERE {which} AND p.quantity <> 0 ORDER BY p.wallet, instrument
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
    """Units of a listing; `price` is the last known close, None where there is none.

    Args:
        cost: of all units, at average cost, fees in; None for one that was opened before it was kept.
        realised: the profit of what was sold of the listing so far, fees in; None as `cost`.
    """

    wallet: str
    listing_id: int
    instrument: str
    quantity: Decimal
    average_price: Decimal
    cost: Decimal | None
    realised: Decimal | None
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
    def unrealised(self) -> Decimal | None:
        """The profit if all were sold at the last close, the fees of buying in: as `strades wallets` says it."""
        return None if self.value is None or self.cost is None else self.value - self.cost


@dataclass(frozen=True)
class ForeignCash:
    """Cash in units of its currency. `rate` is what one of them is worth in the wallet's; None where none is known."""

    currency: str
    balance: Decimal
    rate: Decimal | None

    @property
    def value(self) -> Decimal | None:
        """In the wallet's currency."""
        return None if self.rate is None else self.balance * self.rate


@dataclass
class WalletHolding:
    """A wallet; money in its currency. `foreign_balances` are of `foreign_currencies`, each in its own units.

    `rates` is what a unit of each of these was worth in the wallet's currency, as known then; one without is missing.
    """

    wallet: str
    mode: str
    broker: str
    strategy: str
    currency: str
    interval: str
    opened_at: datetime
    window_end: datetime | None
    opening_cash: Decimal
    state: str
    reason: str | None
    cash: Decimal | None
    working: int
    unknown: int
    foreign_currencies: list[str]
    foreign_balances: list[Decimal]
    decided_at: datetime | None
    positions: list[HeldPosition] = field(default_factory=list)
    rates: dict[str, Decimal] = field(default_factory=dict)

    @property
    def equity(self) -> Decimal | None:
        """Cash, positions, and foreign cash that has a rate, as `strades wallets` says it.

        None where a position has no price, since a part of it would be a wrong figure.
        """
        values = [position.value for position in self.positions]
        if self.cash is None or None in values:
            return None
        values += [cash.value for cash in self.foreign_cash]
        return self.cash + sum((value for value in values if value is not None), Decimal(0))

    @property
    def allocation(self) -> list[tuple[HeldPosition, float | None]]:
        """Each position with its part of the equity (a fraction), None where that is not known or not above 0."""
        equity = self.equity
        return [
            (position, float(position.value / equity) if position.value is not None and equity and equity > 0 else None)
            for position in self.positions
        ]

    @property
    def foreign_cash(self) -> list[ForeignCash]:
        """Cash in other currencies."""
        pairs = zip(self.foreign_currencies, self.foreign_balances, strict=True)
        return [ForeignCash(currency, balance, self.rates.get(currency)) for currency, balance in pairs if balance]

    @property
    def unpriced(self) -> list[str]:
        """The instruments that are held and have no price."""
        return [position.instrument for position in self.positions if position.value is None]

    @property
    def as_of(self) -> datetime | None:
        """The oldest of the closes that it is valued at."""
        return min((position.priced_at for position in self.positions if position.priced_at), default=None)


def read_holdings(*, now: datetime, has_daily_bars: bool) -> list[WalletHolding]:
    """The wallets that trade, by name. Two queries, and up to three for each currency of wallets with foreign cash."""
    wallets = {row.wallet: row for row in read(WalletHolding, WALLETS.replace("{which}", TRADING))}
    for position in read(HeldPosition, _positions(TRADING, has_daily_bars=has_daily_bars), now=now):
        if position.wallet in wallets:
            wallets[position.wallet].positions.append(position)
    _add_rates(list(wallets.values()), at=now)
    return list(wallets.values())


def read_holding(wallet: str, *, now: datetime, has_daily_bars: bool) -> WalletHolding | None:
    """One wallet of any kind, or None; a replay is valued at the end of its window. Two queries."""
    found = read_one(WalletHolding, WALLETS.replace("{which}", ONE), wallet=wallet)
    if found is not None:
        at = now if found.window_end is None else min(now, found.window_end)
        query = _positions(ONE, has_daily_bars=has_daily_bars)
        found.positions += read(HeldPosition, query, wallet=wallet, now=at)
        _add_rates([found], at=at)
    return found


def _add_rates(wallets: list[WalletHolding], *, at: datetime) -> None:
    """Give the wallets the rates of their foreign cash that were known at a time."""
    currencies: dict[str, set[str]] = {}
    for wallet in wallets:
        if wallet.foreign_cash:
            currencies.setdefault(wallet.currency, set()).update(cash.currency for cash in wallet.foreign_cash)
    rates = {
        home: known_rates(snapshot_connection(), home, foreign, at=at) for home, foreign in sorted(currencies.items())
    }
    for wallet in wallets:
        wallet.rates = rates.get(wallet.currency, {})


def _positions(which: str, *, has_daily_bars: bool) -> str:
    bars = f"(({CANDLE}) UNION ALL ({DAY}))" if has_daily_bars else CANDLE
    return POSITIONS.replace("{bars}", bars).replace("{which}", which)
