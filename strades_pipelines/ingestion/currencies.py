"""Amounts in the units that providers quote in, to the currency of the listing: pence and pounds are one currency.

The quotation units and their size are `market.instruments.HUNDREDTHS`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from strades_pipelines.ingestion.verdicts import BodyRefused
from strades_pipelines.market.instruments import HUNDREDTHS


def is_convertible(one: str, other: str) -> bool:
    """Whether amounts of one unit can be written in the other without a rate of exchange."""
    return HUNDREDTHS.get(one, one) == HUNDREDTHS.get(other, other)


def convert(amounts: NDArray[np.float64], from_unit: str, to_unit: str) -> NDArray[np.float64]:
    """Amounts of a unit in another one of the same currency; divided, since 0.01 is no float64.

    Raises:
        ValueError: the units are not of one currency.
    """
    if not is_convertible(from_unit, to_unit):
        raise ValueError(f"expected units of one currency, found {from_unit} and {to_unit}")
    size, wanted = (100.0 if unit in HUNDREDTHS else 1.0 for unit in (from_unit, to_unit))
    return amounts if size == wanted else amounts * wanted / size


@dataclass(frozen=True)
class Currencies:
    """What the amounts of a body are in, and what its listing is quoted in; None where it is not said."""

    body: str | None
    listing: str | None

    def __post_init__(self) -> None:
        if self.body and self.listing and not is_convertible(self.body, self.listing):
            raise BodyRefused(f"expected currency {self.listing}, was {self.body}")

    def prices(self, amounts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Prices, or other amounts of the body, in the listing's currency."""
        return convert(amounts, self.body, self.listing) if self.body and self.listing else amounts
