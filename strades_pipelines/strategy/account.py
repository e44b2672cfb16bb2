"""What a strategy sees of its account: plain numbers, by the index of the listing."""

import math
from collections.abc import Sequence

from strades_pipelines.market.books import Books
from strades_pipelines.market.instruments import Listing


class Account:
    """`target[i]` is to write; `position[i]`, `price[i]` (the last close), `cash` and `equity` are to read.

    The numbers are floats of the exact books, taken after every fill: they never drift away from them.
    """

    def __init__(self, listings: Sequence[Listing], books: Books) -> None:
        self.size = len(listings)
        self.target = [0.0] * self.size
        self.position = [0.0] * self.size
        self.price = [math.nan] * self.size
        self._ids = [listing.listing_id for listing in listings]
        self.refresh(books)

    def refresh(self, books: Books) -> None:
        """Take over the state of the books."""
        self.cash = float(books.cash)
        self.position = [float(books.held(listing_id)) for listing_id in self._ids]

    def read_targets(self) -> list[float]:
        """The targets as floats.

        Raises:
            TypeError, ValueError: when a strategy left something else.
        """
        targets = [float(target) for target in self.target]
        if len(targets) != self.size:
            raise ValueError(f"expected {self.size} targets, was {len(targets)}")
        return targets

    @property
    def holdings(self) -> float:
        """The positions at their last closes."""
        return sum(held * price for held, price in zip(self.position, self.price, strict=True) if held)

    @property
    def equity(self) -> float:
        """Cash and holdings."""
        return self.cash + self.holdings
