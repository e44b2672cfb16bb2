"""An account: balances per asset, what open positions cost, and what a fill changes. All numbers are exact."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from sandbox.venue.instruments import Instrument
from sandbox.venue.orders import ZERO, Side


@dataclass
class Account:
    """What a holder of an API key has. Balances of stocks may be negative (short), of currencies on margin too."""

    number: int
    key: str
    secret: str
    opened_at: datetime
    balances: dict[str, Decimal]  # by asset
    multiplier: Decimal = Decimal(1)  # of the equity, as buying power; from 2 on the account may sell short
    costs: dict[str, Decimal] = field(default_factory=dict)  # what the position in an asset cost, signed, quote units

    def balance(self, asset: str) -> Decimal:
        """Units of an asset, those held for open orders included."""
        return self.balances.get(asset, ZERO)

    def settle(self, instrument: Instrument, side: Side, price: Decimal, quantity: Decimal, fee: Decimal) -> None:
        """Book one fill: the fee is taken from what it brings."""
        signed = quantity if side is Side.BUY else -quantity
        self._move_cost(instrument.base, signed, price)
        self._add(instrument.base, signed)
        self._add(instrument.quote, -signed * price)
        self._add(instrument.base if side is Side.BUY else instrument.quote, -fee)

    def _move_cost(self, asset: str, signed: Decimal, price: Decimal) -> None:
        """Adding to a position adds to its cost; taking from it takes the same part of its cost (average cost)."""
        held, cost = self.balance(asset), self.costs.get(asset, ZERO)
        if held * signed >= 0:
            self.costs[asset] = cost + signed * price
        elif abs(signed) <= abs(held):
            self.costs[asset] = cost + cost * signed / held
        else:
            self.costs[asset] = (held + signed) * price

    def _add(self, asset: str, amount: Decimal) -> None:
        self.balances[asset] = self.balance(asset) + amount

    def equity(self, price_of: Callable[[str], Decimal], currency: str) -> Decimal:
        """Worth of everything in `currency`; `price_of` prices one unit of another asset in it."""
        return sum(
            (amount if asset == currency else amount * price_of(asset) for asset, amount in self.balances.items()), ZERO
        )

    def exposure(self, price_of: Callable[[str], Decimal], currency: str) -> Decimal:
        """Sum of the absolute values of all positions, in `currency`."""
        return sum(
            (abs(amount) * price_of(asset) for asset, amount in self.balances.items() if asset != currency), ZERO
        )
