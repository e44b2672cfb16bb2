"""The instruments of the two venues, with precision, minimum size and fees."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from sandbox.market import PAIRS, SIZE_DECIMALS
from sandbox.stocks import SYMBOLS


@dataclass(frozen=True)
class Instrument:
    """One instrument. Fees are fractions of the received asset: base for a buy, quote for a sell."""

    symbol: str
    name: str
    exchange: str
    base: str
    quote: str
    tick: Decimal
    quantity_step: Decimal
    minimum_quantity: Decimal
    minimum_cost: Decimal  # quote units
    maker_fee: Decimal
    taker_fee: Decimal
    is_shortable: bool
    tick_below_one: Decimal | None = None  # of a price under 1

    def tick_at(self, price: Decimal) -> Decimal:
        """Return the tick at this price level."""
        return self.tick_below_one if self.tick_below_one is not None and price < 1 else self.tick


def stocks() -> Mapping[str, Instrument]:
    """Alpaca's stocks: ticks of a cent (1/100 cent below a dollar), fractions of 1e-9 shares, no fee."""
    return {
        symbol: Instrument(
            symbol=symbol,
            name=name,
            exchange="NYSE" if code == "NYQ" else "NASDAQ",
            base=symbol,
            quote="USD",
            tick=Decimal("0.01"),
            tick_below_one=Decimal("0.0001"),
            quantity_step=Decimal("0.000000001"),
            minimum_quantity=Decimal("0.000000001"),
            minimum_cost=Decimal(0),
            maker_fee=Decimal(0),
            taker_fee=Decimal(0),
            is_shortable=True,
        )
        for symbol, (name, code, _) in SYMBOLS.items()
    }


def crypto_pairs() -> Mapping[str, Instrument]:
    """Gate.io's pairs on the synthetic market: fee 0.2 %, at least 3 USDT an order."""
    return {
        pair.symbol: Instrument(
            symbol=pair.symbol,
            name=pair.symbol.replace("_", "/"),
            exchange="GATE",
            base=pair.symbol.partition("_")[0],
            quote=pair.symbol.partition("_")[2],
            tick=Decimal(1).scaleb(-pair.price_decimals),
            quantity_step=Decimal(1).scaleb(-SIZE_DECIMALS),
            minimum_quantity=Decimal(1).scaleb(-SIZE_DECIMALS),
            minimum_cost=Decimal(3),
            maker_fee=Decimal("0.002"),
            taker_fee=Decimal("0.002"),
            is_shortable=False,
        )
        for pair in PAIRS.values()
    }
