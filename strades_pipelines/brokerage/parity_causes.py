"""Classify why a recorded decision or fill differs from its replay. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from strades_pipelines.market.bars_and_fills import stamp
from strades_pipelines.market.fees import FEE_UNIT
from strades_pipelines.market.ledger_chain import plain
from strades_pipelines.market.rounding import scaled


class Cause(StrEnum):
    """Why two runs of one day differ."""

    DATA = "data"  # a row that was not there yet
    LATE_CORRECTION = "late_correction"  # a row that has another value now
    LATENCY = "latency"  # the order came to its venue after the price it was decided for, or not at all
    FILL_MODEL = "fill_model"  # the venue filled at another price or size than the model of the backtest
    FEE = "fee"
    SPLIT = "split"  # the same but for the ticks and lots of the shares that a later split made
    CODE = "code"  # the strategy or the engine was edited since
    STRATEGY_FAULT = "strategy_fault"  # the strategy cannot be made any more, or raises in the replay
    BUG = "bug"  # nothing explains it


@dataclass(frozen=True, slots=True)
class Difference:
    """One decision, the fills of one order, or a strategy's day, that two runs of a day do not agree on.

    Args:
        subject: `decision`, `fill`, or `strategy` where all of its day cannot be replayed.
        reference: the id of the decision, or of the order's intent, or the strategy.
        recorded, expected: what each of the two runs has, in words; both in the shares of now.
    """

    subject: str
    reference: str
    listing_id: int
    at: datetime
    cause: Cause
    recorded: str
    expected: str


@dataclass(frozen=True, slots=True)
class PartialFill:
    """A fill of an order, as the backtest's model and the venue both tell it."""

    filled_at: datetime
    quantity: Decimal
    price: Decimal
    fee: Decimal

    def __str__(self) -> str:
        return f"{plain(self.quantity)} at {plain(self.price)}, fee {plain(self.fee)}, {stamp(self.filled_at)}"

    def restated(self, ratio: Fraction) -> "PartialFill":
        """The fill after a split of `ratio` new shares for one old; value and fee are unchanged."""
        if ratio == 1:
            return self
        return replace(self, quantity=scaled(self.quantity, ratio), price=scaled(self.price, 1 / ratio))


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Within how much two fills in restated shares are the same: ticks and lots are those of the shares now.

    Zero where nothing was restated. `fee_rate` is the part of the value that a fee is.
    """

    tick: Decimal = Decimal(0)
    lot: Decimal = Decimal(0)
    fee_rate: Decimal = Decimal(0)

    def is_same(self, recorded: Sequence[PartialFill], expected: Sequence[PartialFill]) -> bool:
        """Whether an order's fills are the same in both, one by one."""
        return len(recorded) == len(expected) and all(map(self._is_same_part, recorded, expected))

    def _is_same_part(self, mine: PartialFill, theirs: PartialFill) -> bool:
        if mine == theirs or mine.filled_at != theirs.filled_at:
            return mine == theirs
        worth_apart = abs(mine.quantity * mine.price - theirs.quantity * theirs.price)
        return (
            abs(mine.quantity - theirs.quantity) < self.lot
            and abs(mine.price - theirs.price) < self.tick
            and abs(mine.fee - theirs.fee) <= worth_apart * self.fee_rate + FEE_UNIT
        )


NO_TOLERANCE = Tolerance()


@dataclass(frozen=True, slots=True)
class FillModels:
    """What the fill model makes of an order.

    Args:
        replayed: decided and sent at one instant, with the bars as they are now.
        replayed_as_sent: sent when it really was, with the same bars.
        replayed_as_stored: as `replayed`, with the bars as they were stored when the order was last heard of.
        replayed_as_stored_and_sent: both.
    """

    replayed: Sequence[PartialFill]
    replayed_as_sent: Sequence[PartialFill]
    replayed_as_stored: Sequence[PartialFill]
    replayed_as_stored_and_sent: Sequence[PartialFill]


def cause_of_fills(
    recorded: Sequence[PartialFill],
    model: FillModels,
    *,
    venue_is_model: bool,
    interval: timedelta,
    tolerance: Tolerance = NO_TOLERANCE,
) -> Cause:
    """Why an order's recorded fills are not those of the model now.

    Args:
        venue_is_model: a paper venue fills by this very model, so that a price of its own is no explanation.
        interval: fills within so long of one another are of one bar.
        tolerance: within how much they are the same.
    """
    # It is asked where the two differ: what is the same within the tolerance differs by restated ticks and lots alone.
    if tolerance.is_same(recorded, model.replayed):
        return Cause.SPLIT
    if tolerance.is_same(recorded, model.replayed_as_stored):
        # Where the bars of then fill nothing, the one that fills it now was not there yet.
        return Cause.LATE_CORRECTION if model.replayed_as_stored else Cause.DATA
    if tolerance.is_same(recorded, model.replayed_as_sent):
        return Cause.LATENCY
    if tolerance.is_same(recorded, model.replayed_as_stored_and_sent):
        return Cause.LATE_CORRECTION if model.replayed_as_stored_and_sent else Cause.DATA
    sent = model.replayed_as_sent
    if [(part.quantity, part.price) for part in recorded] == [(part.quantity, part.price) for part in sent]:
        return Cause.FEE
    if venue_is_model:
        return Cause.BUG
    if not recorded and sent:
        return Cause.FILL_MODEL
    late = any(
        abs(mine.filled_at - theirs.filled_at) >= interval
        for mine, theirs in zip(recorded, model.replayed, strict=False)
    )
    return Cause.LATENCY if late else Cause.FILL_MODEL


def count_equal_fills(recorded: Sequence[PartialFill], expected: Sequence[PartialFill]) -> int:
    """The number of fills of an order that are the same in both, compared in their order."""
    return sum(mine == theirs for mine, theirs in zip(recorded, expected, strict=False))
