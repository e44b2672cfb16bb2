"""Splits: which shares an amount is in, and how fills and splits follow one another. Pure.

A source that takes splits out of its prices restates the whole past, so stored bars are in current shares. Fills stay
as they were done, in the shares of their time. Books take fills and splits in turn; what is held against bars of the
past, a strategy's account or a curve, has its fills in current shares too.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

from strades_pipelines.market.bars_and_fills import Fill
from strades_pipelines.market.ids import base32_id
from strades_pipelines.market.rounding import scaled

# A source writes a ratio as a float: the fraction of this denominator or less that is nearest is the one it means.
LARGEST_DENOMINATOR = 100_000


@dataclass(frozen=True, slots=True)
class Split:
    """Each unit of a listing became `ratio` units at `at`.

    Args:
        at: the first instant at which the listing trades in new units: the opening of the session of `ex_date`, UTC.
        taken: new units that came to no whole lot, and were paid out.
        cash: what they brought.
        restates: the stored bars are in the shares after it, also those from before it.
        recorded_at: when it was booked.
    """

    wallet: str
    listing_id: int
    ex_date: date
    at: datetime
    ratio: Fraction
    taken: Decimal
    cash: Decimal
    restates: bool
    recorded_at: datetime

    @property
    def movement_id(self) -> str:
        """The id of its movement: by its ledger line nobody can change the ratio or the fraction afterwards."""
        return base32_id("split", self.wallet, self.listing_id, self.ex_date, str(self.ratio), _text(self.taken))

    @property
    def title(self) -> str:
        """What happened, for people: `split of 2024-06-10, 10 for 1`."""
        return f"split of {self.ex_date}, {self.ratio.numerator} for {self.ratio.denominator}"


def ratio_of(stated: float) -> Fraction:
    """The ratio that a source's float means: 0.3333333333333333 is one for three."""
    return Fraction(stated).limit_denominator(LARGEST_DENOMINATOR)


def standing(splits: Sequence[Split]) -> list[Split]:
    """The splits that were not taken back: one that was is followed by another of its day with the inverse ratio."""
    days = Counter((split.listing_id, split.ex_date) for split in splits)
    return [split for split in splits if days[split.listing_id, split.ex_date] == 1]


def ratio_since(splits: Iterable[Split], listing_id: int, at: datetime) -> Fraction:
    """How many units of now a unit of the time `at` has become."""
    ratio = Fraction(1)
    for split in splits:
        if split.listing_id == listing_id and split.at > at:
            ratio *= split.ratio
    return ratio


def in_current_shares(fill: Fill, splits: Iterable[Split]) -> Fill:
    """The fill in the shares that stored bars are in; its value is the same."""
    ratio = ratio_since([split for split in splits if split.restates], fill.listing_id, fill.filled_at)
    if ratio == 1:
        return fill
    fee = scaled(fill.fee, ratio) if fill.fee_in_units else fill.fee
    return replace(fill, quantity=scaled(fill.quantity, ratio), price=scaled(fill.price, 1 / ratio), fee=fee)


def paid_out(split: Split, i: int, currency: str) -> Fill:
    """The sale of the fraction that came to no lot, as a fill of no order: known from when it was booked.

    Args:
        i: the listing's index in the session.
    """
    return Fill(
        i=i,
        listing_id=split.listing_id,
        content_id=split.movement_id,
        intent_id=split.movement_id,
        side="sell" if split.taken > 0 else "buy",
        quantity=abs(split.taken),
        price=split.cash / split.taken,
        fee=Decimal(0),
        currency=currency,
        filled_at=split.at,
        knowledge_time=split.recorded_at,
    )


def in_turn(fills: Sequence[Fill], splits: Sequence[Split]) -> Iterator[Fill | Split]:
    """Fills as they come, but for the splits of their listings: each before the first fill in its shares.

    So a fill from before a split that is booked after it counts in the shares that it was done in. One that was taken
    back never was: there and back again, units that are no whole parts would not be what they had been.
    """
    splits = standing(splits)
    listings = [*(fill.listing_id for fill in fills), *(split.listing_id for split in splits)]
    for listing_id in dict.fromkeys(listings):
        own = sorted((split for split in splits if split.listing_id == listing_id), key=lambda split: split.at)
        rest = [fill for fill in fills if fill.listing_id == listing_id]
        for split in own:
            yield from (fill for fill in rest if fill.filled_at < split.at)
            yield split
            rest = [fill for fill in rest if fill.filled_at >= split.at]
        yield from rest


def _text(number: Decimal) -> str:
    return format(number.normalize() + 0, "f")
