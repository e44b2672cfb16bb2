"""The decisions of a day beside those that the same code makes of it again, each difference with its cause."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import psycopg

from strades_pipelines.brokerage.checkpoints import newest_checkpoint, read_ground
from strades_pipelines.brokerage.parity_causes import Cause, Difference
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.stepping import step
from strades_pipelines.brokerage.trading_rows import request_to_json
from strades_pipelines.market.order_terms import TradingDecision

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

DAY, INSTANT = timedelta(days=1), timedelta(microseconds=1)
MOST_REPLAYS = 10  # of what was stored then: each of them begins at the opening
# A replay makes neither: a person's decision comes of no code, and a revision's of the moment when inputs came late.
RECORDED = """
    SELECT decision_id, listing_id, decided_at, target, order_request, recorded_at,
        coalesce((inputs ->> 'splits')::integer, 0)
    FROM signals.decisions
    WHERE wallet = %s AND decided_at >= %s AND decided_at < %s AND trigger_kind NOT IN ('person', 'revision')
        AND (%s::text IS NULL OR strategy = %s)
    ORDER BY decided_at, ordinal
"""
# Of the rows known by a time: whether any has had another value, and whether any was not there at all, when it was
# `stored`. Daily bars are made of candles of several venues: those of their own listing stand for them.
CHANGED = """
    SELECT
        EXISTS (
            SELECT FROM records.candle_revisions AS r
            WHERE r.listing_id = ANY(%(listings)s) AND r."interval" = %(interval)s AND r.knowledge_time <= %(known)s
                AND r.recorded_at <= %(stored)s AND r.superseded_at > %(stored)s
        ),
        EXISTS (
            SELECT FROM records.candles AS c
            WHERE c.listing_id = ANY(%(listings)s) AND c."interval" = %(interval)s AND c.knowledge_time <= %(known)s
                AND c.open_time >= %(known)s::timestamptz - interval '8 days' AND c.recorded_at > %(stored)s
        )
        OR EXISTS (
            SELECT FROM predictions.forecasts AS f
            WHERE f.listing_id = ANY(%(listings)s) AND f.name = ANY(%(models)s) AND f.decision_time <= %(known)s
                AND f.decision_time >= %(known)s::timestamptz - interval '8 days' AND f.recorded_at > %(stored)s
        )
"""


@dataclass(frozen=True)
class DayDecision:
    """A decision of a day; `recorded_at` is None for one of a replay.

    `ratio` is how many shares of now one of those that it counts in has become: a replay decides in shares of now.
    """

    listing_id: int
    at: datetime
    target: float
    request: dict[str, Any] | None
    recorded_at: datetime | None = None
    ratio: float = 1.0

    def is_same(self, other: "DayDecision | None") -> bool:
        """Whether both want the same."""
        if other is None or self.request != other.request:
            return False
        if self.target == other.target or (self.target != self.target and other.target != other.target):
            return True
        # A strategy of a fixed size asks for as many shares of either kind; one of a fixed value for as much.
        return self.ratio != 1 and math.isclose(self.target * self.ratio, other.target, rel_tol=1e-9)

    def __str__(self) -> str:
        return f"target {self.target:.12g}" if self.request is None else f"order {self.request}"


class DecisionParity:
    """A wallet's decisions of the UTC day that begins at `start`, recorded and replayed."""

    def __init__(
        self, connection: Connection, adbc: "AdbcConnection", wallet: Wallet, start: datetime, *, is_other_code: bool
    ) -> None:
        self._connection, self._adbc, self._wallet, self._start = connection, adbc, wallet, start
        self._is_other_code = is_other_code
        self._replays = 0
        rows = connection.execute(
            RECORDED, [wallet.name, start, start + DAY, wallet.sleeve_name, wallet.sleeve_name]
        ).fetchall()
        self.recorded = {
            decision_id: DayDecision(listing_id, at, target, request, recorded_at, self._ratio(listing_id, count))
            for decision_id, listing_id, at, target, request, recorded_at, count in rows
        }
        self._fault: str | None = None
        self.replayed: Mapping[str, DayDecision] = {}
        try:
            base = newest_checkpoint(connection, wallet, read_ground(connection, wallet), now=start)
            stepped = step(connection, adbc, wallet, now=start + DAY - INSTANT, base=base)
            self.replayed = _of_day(stepped.decisions, start)
        # A fault of the database is none of the strategy's: the day is compared another time.
        except psycopg.Error:
            raise
        except Exception as error:  # a strategy may raise anything
            connection.rollback()
            self._fault = (str(error) or repr(error)).splitlines()[0]

    def _ratio(self, listing_id: int, count: int) -> float:
        """What the splits of a listing after the first `count` made of one share, as far as the bars are restated."""
        booked = sorted(self._wallet.splits, key=attrgetter("recorded_at"))
        own = [split for split in booked if split.listing_id == listing_id]
        return float(math.prod(split.ratio for split in own[count:] if split.restates))

    @property
    def compared(self) -> int:
        """How many decisions either of the two has."""
        return len({**self.recorded, **self.replayed})

    def agreeing(self, differences: Sequence[Difference]) -> int:
        """How many of them agree, where those are all its differences."""
        return 0 if self._fault is not None else self.compared - len(differences)

    def differences(self) -> list[Difference]:
        """What the two do not agree on, oldest first; those beyond ten share the cause of the one before.

        A strategy that cannot be replayed is one difference: nothing of its day agrees.
        """
        if self._fault is not None:
            what, first = f"{len(self.recorded)} decisions", self._wallet.listings[0].listing_id
            name = self._wallet.sleeve_name or self._wallet.strategy
            return [Difference("strategy", name, first, self._start, Cause.STRATEGY_FAULT, what, self._fault)]
        found: list[Difference] = []
        for decision_id in sorted({**self.recorded, **self.replayed}, key=self._place):
            mine, again = self.recorded.get(decision_id), self.replayed.get(decision_id)
            if mine is not None and mine.is_same(again):
                continue
            one = mine or again
            assert one is not None
            is_examined = self._replays < MOST_REPLAYS or not found
            cause = self._cause(decision_id, one.at) if is_examined else found[-1].cause
            texts = ["nothing" if decision is None else str(decision) for decision in (mine, again)]
            found.append(Difference("decision", decision_id, one.listing_id, one.at, cause, *texts))
        return found

    def _place(self, decision_id: str) -> tuple[datetime, str]:
        one = self.recorded.get(decision_id) or self.replayed[decision_id]
        return one.at, decision_id

    def _cause(self, decision_id: str, at: datetime) -> Cause:
        """Replay what was stored when the decision was recorded; one that was not made was, up to the next that was."""
        mine = self.recorded.get(decision_id)
        later = (one.recorded_at for one in self.recorded.values() if one.at > at and one.recorded_at is not None)
        stored = mine.recorded_at if mine is not None else min(later, default=self._start + DAY)
        assert stored is not None
        self._replays += 1
        stepped = step(self._connection, self._adbc, self._wallet, now=at, stored_by=stored)
        then = _of_day(stepped.decisions, self._start).get(decision_id)
        changed = self._changed(at, stored)
        if (mine is None and then is None) or (mine is not None and mine.is_same(then)):
            return changed or Cause.LATE_CORRECTION
        if self._wallet.interval == "1d" and changed:
            return changed  # of daily bars no old versions are kept, so that none can be replayed
        return Cause.CODE if self._is_other_code else Cause.BUG

    def _changed(self, known: datetime, stored: datetime) -> Cause | None:
        row = self._connection.execute(
            CHANGED,
            {
                "listings": [listing.listing_id for listing in self._wallet.listings],
                "interval": self._wallet.interval,
                "models": list(self._wallet.new_strategy().models),
                "known": known,
                "stored": stored,
            },
        ).fetchone()
        is_revised, is_late = row or (False, False)
        if is_revised:
            return Cause.LATE_CORRECTION
        return Cause.DATA if is_late else None


def _of_day(decisions: list[TradingDecision], start: datetime) -> Mapping[str, DayDecision]:
    return {
        made.decision_id: DayDecision(
            made.listing_id, made.decided_at, made.target, request_to_json(made.request) if made.request else None
        )
        for made in decisions
        if start <= made.decided_at < start + DAY
    }
