"""An account: balances per asset, what open positions cost, and what a fill changes. All numbers are exact."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from sandbox.venue.instruments import Instrument
from sandbox.venue.orders import ZERO, Side


@dataclass
class Account:
    """The account of one API key. A balance may be negative: a short position, or cash borrowed on margin."""

    number: int
    key: str
    secret: str
    opened_at: datetime
    balances: dict[str, Decimal]  # by asset
    multiplier: Decimal = Decimal(1)  # of the equity, as buying power; from 2 on the account may sell short
    costs: dict[str, Decimal] = field(
        default_factory=dict
    )  # cost basis of the position in an asset, signed, quote units

    def balance(self, asset: str) -> Decimal:
        """Units of an asset, including those reserved for open orders."""
        return self.balances.get(asset, ZERO)

    def settle(self, instrument: Instrument, side: Side, price: Decimal, quantity: Decimal, fee: Decimal) -> None:
        """Book one fill; the fee is deducted from the asset received."""
        signed = quantity if side is Side.BUY else -quantity
        self._move_cost(instrument.base, signed, price)
        self._add(instrument.base, signed)
        self._add(instrument.quote, -signed * price)
        self._add(instrument.base if side is Side.BUY else instrument.quote, -fee)

    def _move_cost(self, asset: str, signed: Decimal, price: Decimal) -> None:
        """Update the cost basis by the average-cost method; a fill through zero starts a new basis."""
        position, cost = self.balance(asset), self.costs.get(asset, ZERO)
        if position * signed >= 0:
            self.costs[asset] = cost + signed * price
        elif abs(signed) <= abs(position):
            # What closes takes out its part of the cost, whatever the price is.
            self.costs[asset] = cost + cost * signed / position
        else:
            self.costs[asset] = (position + signed) * price

    def _add(self, asset: str, amount: Decimal) -> None:
        self.balances[asset] = self.balance(asset) + amount

    def equity(self, price_of: Callable[[str], Decimal], currency: str) -> Decimal:
        """Value of all balances in `currency`; `price_of` gives the price of one unit of another asset."""
        return sum(
            (amount if asset == currency else amount * price_of(asset) for asset, amount in self.balances.items()), ZERO
        )

    def exposure(self, price_of: Callable[[str], Decimal], currency: str) -> Decimal:
        """Gross value of all positions in `currency`."""
        return sum(
            (abs(amount) * price_of(asset) for asset, amount in self.balances.items() if asset != currency), ZERO
        )
