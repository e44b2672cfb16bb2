"""Accounts over instruments in several currencies: which instrument is in which, and whose prices are the rates."""

import math
from collections.abc import Mapping, Sequence

from strades_pipelines.strategy.account import Account


def set_currencies(
    account: Account, home: str, currencies: Sequence[str], pairs: Mapping[int, tuple[str, str]]
) -> None:
    """Let an account in the currency `home` know the currency of each instrument, before its engine is made.

    The price of a pair (base, quote) is what one base costs in quote. The pairs that have `home` on one side set the
    rates, each from its own bars, trades and quotes on, as they come; before that an instrument has no rate and is not
    traded. Fills are converted at the rate known when they are done, at once: the account holds cash in `home` alone.

    Args:
        currencies: of each instrument, by index; a pair is in its quote currency.
        pairs: the instruments that are pairs of currencies, by index.

    Raises:
        ValueError: for a currency that no pair with `home` gives a rate of, or two do.
    """
    sources: dict[str, int] = {}
    for i, (base, quote) in pairs.items():
        foreign = base if quote == home else quote
        if home not in (base, quote):
            continue
        if foreign in sources:
            raise ValueError(f"currency {foreign}: expected one pair with {home}, there are two")
        sources[foreign] = i
    codes = {currency: code for code, currency in enumerate(sources, start=1)}
    for i, currency in enumerate(currencies):
        if currency == home:
            continue
        if currency not in codes:
            raise ValueError(f"currency {currency}: expected a pair with {home} among the instruments, there is none")
        account.currency[i] = codes[currency]
        account.rate[i] = account.unit[i] = math.nan
    for foreign, i in sources.items():
        account.converts[i] = codes[foreign] if pairs[i][1] == home else -codes[foreign]
