"""The fills of a day's orders beside those of the backtest's fill model, each difference with its cause."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from psycopg.rows import namedtuple_row

from strades_pipelines.brokerage.expected_fills import BookedFill, SentOrder, expected_fills
from strades_pipelines.brokerage.parity_causes import (
    NO_TOLERANCE,
    Difference,
    FillModels,
    PartialFill,
    Tolerance,
    cause_of_fills,
    count_equal_fills,
)
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.prices import Connection, bar_table, of_interval
from strades_pipelines.brokerage.trading_rows import stored_terms
from strades_pipelines.database.asof import read_as_of
from strades_pipelines.market.bars_and_fills import Bar
from strades_pipelines.market.instruments import interval_length
from strades_pipelines.market.order_terms import Order, OrderTerms
from strades_pipelines.market.rounding import scaled
from strades_pipelines.market.split_arithmetic import ratio_since

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

DAY, INSTANT = timedelta(days=1), timedelta(microseconds=1)
ORDERS = """
    SELECT i.*, o.submitted_at, d.strategy, d.order_request IS NULL AS is_for_target,
        c.requested_at, c.recorded_at AS cancel_recorded_at, o.updated_at AS heard_at
    FROM trading.intents AS i
    INNER JOIN trading.orders AS o USING (intent_id)
    INNER JOIN signals.decisions AS d USING (decision_id)
    LEFT JOIN trading.cancel_requests AS c USING (decision_id)
    WHERE i.wallet = %s AND i.intended_at >= %s AND i.intended_at < %s
    ORDER BY i.intended_at, i.parent_id IS NOT NULL, d.ordinal, i.intent_id
"""
FILLS = """
    SELECT f.intent_id, i.intended_at, f.listing_id, f.known_at, f.filled_at, f.side, f.quantity, f.price, f.fee
    FROM trading.fills AS f INNER JOIN trading.intents AS i USING (intent_id)
    WHERE f.wallet = %s AND f.known_at >= %s ORDER BY f.filled_at, f.fill_id
"""
# Between two splits all fills are in the same shares.
BEFORE = """
    SELECT listing_id, min(filled_at), sum(CASE side WHEN 'buy' THEN quantity ELSE -quantity END),
        sum(CASE side WHEN 'buy' THEN -quantity ELSE quantity END * price - fee)
    FROM trading.fills WHERE wallet = %(wallet)s AND known_at < %(start)s
    GROUP BY listing_id, width_bucket(filled_at, %(splits)s::timestamptz[])
"""
PRICES = ["open", "high", "low", "close", "volume"]


@dataclass(frozen=True)
class FillParity:
    """The counts of compared and of agreeing fills by owner, and the orders whose fills differ.

    Args:
        compared, agreeing: by the sleeve, or UNATTRIBUTED.
    """

    compared: Counter[str]
    agreeing: Counter[str]
    differences: Sequence[Difference]


def fill_parity(connection: Connection, adbc: "AdbcConnection", wallet: Wallet, start: datetime) -> FillParity:
    """Compare the fills of the orders that were decided on in the UTC day from `start` on. Writes nothing.

    Fills after the end of the day count on neither side.
    """
    return _FillParity(connection, adbc, wallet, start).compare()


class _FillParity:
    def __init__(self, connection: Connection, adbc: "AdbcConnection", wallet: Wallet, start: datetime) -> None:
        self._adbc, self._wallet, self._start = adbc, wallet, start
        self._index = {listing.listing_id: i for i, listing in enumerate(wallet.listings)}
        with connection.cursor(row_factory=namedtuple_row) as cursor:
            self._rows: list[Any] = cursor.execute(ORDERS, [wallet.name, start, start + DAY]).fetchall()
            self._fills: list[Any] = cursor.execute(FILLS, [wallet.name, start]).fetchall()
        self._cash, self._positions = wallet.opening_cash, [Decimal(0)] * len(wallet.listings)
        times = sorted({split.at for split in wallet.splits})
        for listing_id, at, units, paid in connection.execute(
            BEFORE, {"wallet": wallet.name, "start": start, "splits": times}
        ):
            self._cash += paid
            self._positions[self._index[listing_id]] += self._in_bar_shares(units, listing_id, at)
        for split in wallet.splits:
            if split.at < start:
                self._cash += split.cash
                self._positions[self._index[split.listing_id]] -= self._in_bar_shares(
                    split.taken, split.listing_id, split.at
                )

    def compare(self) -> FillParity:
        """Run the fill model once for all orders, and up to three times more where it does not explain the fills."""
        recorded: dict[str, list[PartialFill]] = {row.intent_id: [] for row in self._rows}
        for fill in self._fills:
            if fill.intent_id in recorded and fill.filled_at < self._start + DAY:
                part = PartialFill(fill.filled_at, fill.quantity, fill.price, fill.fee)
                recorded[fill.intent_id].append(part.restated(self._ratio(fill.listing_id, fill.filled_at)))
        replayed = self._model(lambda row: row.intended_at) if self._rows else {}
        compared, same = Counter[str](), Counter[str]()
        different = []
        for row in self._rows:
            mine, again = recorded[row.intent_id], replayed.get(row.intent_id, [])
            owner = self._wallet.owner_of(row.strategy)
            compared[owner] += max(len(mine), len(again))
            same[owner] += count_equal_fills(mine, again)
            if mine != again:
                different.append(row)
        return FillParity(compared, same, [*self._explain(different, recorded, replayed)])

    def _explain(
        self,
        rows: Sequence[Any],
        recorded: Mapping[str, Sequence[PartialFill]],
        replayed: Mapping[str, Sequence[PartialFill]],
    ) -> list[Difference]:
        replayed_as_sent = self._model(_sent_at) if rows else {}
        found = []
        for row in rows:
            mine, again = recorded[row.intent_id], replayed.get(row.intent_id, [])
            replayed_as_stored: Mapping[str, Sequence[PartialFill]] = {}
            replayed_as_stored_and_sent = replayed_as_stored
            # Two replays more, only where the time of sending alone does not explain the fills.
            if list(mine) != list(replayed_as_sent.get(row.intent_id, [])):
                replayed_as_stored = self._model(lambda row: row.intended_at, stored_by=row.heard_at)
                replayed_as_stored_and_sent = self._model(_sent_at, stored_by=row.heard_at)
                models = [replayed, replayed_as_sent, replayed_as_stored, replayed_as_stored_and_sent]
            else:
                models = [replayed, replayed_as_sent, replayed, replayed_as_sent]
            cause = cause_of_fills(
                mine,
                FillModels(*(model.get(row.intent_id, []) for model in models)),
                venue_is_model=self._wallet.broker == "paper",
                interval=interval_length(self._wallet.interval),
                tolerance=self._tolerance(row),
            )
            texts = ["; ".join(map(str, parts)) or "nothing" for parts in (mine, again)]
            found.append(Difference("fill", row.intent_id, row.listing_id, row.intended_at, cause, *texts))
        return found

    def _model(
        self, accepted_at: Callable[[Any], datetime | None], *, stored_by: datetime | None = None
    ) -> dict[str, list[PartialFill]]:
        """The fills of the model, by intent, of orders accepted at `accepted_at` (None: never accepted).

        Orders go in and fills come out in the shares of the bars: those of now, or of when they were stored.
        """
        sent = [self._sent(row, at, stored_by) for row in self._rows if (at := accepted_at(row)) is not None]
        own = {row.intent_id for row in self._rows}
        others = [
            BookedFill(
                fill.known_at,
                self._index[fill.listing_id],
                part.quantity if fill.side == "buy" else -part.quantity,
                part.price,
                part.fee,
            )
            for fill in self._fills
            if fill.intent_id not in own
            for part in [
                PartialFill(fill.filled_at, fill.quantity, fill.price, fill.fee).restated(
                    self._ratio(fill.listing_id, fill.filled_at, stored_by)
                )
            ]
        ]
        parts: dict[str, list[PartialFill]] = {}
        for fill in expected_fills(
            self._wallet.listings,
            sent,
            self._bars(stored_by),
            cash=self._cash,
            positions=self._positions,
            fee_rate=self._wallet.fee_rate,
            others=others,
        ):
            if fill.filled_at < self._start + DAY:
                part = PartialFill(fill.filled_at, fill.quantity, fill.price, fill.fee)
                listing_id = self._wallet.listings[fill.i].listing_id
                since = self._ratio(listing_id, fill.filled_at) / self._ratio(listing_id, fill.filled_at, stored_by)
                parts.setdefault(fill.client_order_id, []).append(part.restated(since))
        return parts

    def _ratio(self, listing_id: int, at: datetime, stored_by: datetime | None = None) -> Fraction:
        """How many shares, in the units of the bars, one share of the time `at` has become.

        Args:
            stored_by: the bars as they were stored at this time; None: as they are.
        """
        splits = self._wallet.splits
        known = [split for split in splits if split.restates and (stored_by is None or split.recorded_at <= stored_by)]
        return ratio_since(known, listing_id, at)

    def _in_bar_shares(self, units: Decimal, listing_id: int, at: datetime) -> Decimal:
        """Units of the time `at` that are held when the day begins, in the shares of the bars now."""
        splits = self._wallet.splits
        until_start = ratio_since(splits, listing_id, at) / ratio_since(splits, listing_id, self._start)
        return scaled(units, until_start * self._ratio(listing_id, self._start))

    def _tolerance(self, row: Any) -> Tolerance:
        """The precision of a comparison: fills of before a split, restated, are no whole ticks and lots."""
        if self._ratio(row.listing_id, row.intended_at) == 1:
            return NO_TOLERANCE
        listing = self._wallet.listings[self._index[row.listing_id]]
        return Tolerance(listing.tick, listing.lot, self._wallet.fee_rate)

    def _sent(self, row: Any, at: datetime, stored_by: datetime | None) -> SentOrder:
        ratio = self._ratio(row.listing_id, row.intended_at, stored_by)
        terms = in_shares(stored_terms(row), ratio)
        order = Order(
            row.intent_id,
            row.decision_id,
            self._index[row.listing_id],
            row.listing_id,
            row.side,
            scaled(row.quantity, ratio),
            at,
            Decimal(0),
            terms,
            row.is_for_target,
        )
        # As it was sent, a cancel counts from when it was recorded; as it was decided, from when it was wanted.
        is_late = at != row.intended_at
        return SentOrder(order, row.cancel_recorded_at if is_late else row.requested_at)

    def _bars(self, stored_by: datetime | None) -> list[Bar]:
        """The bars of the day, and those of the next day known by its end, in the order in which they became known."""
        wallet, ids = self._wallet, ", ".join(map(str, self._index))
        # A bar that opened the day before may become known in this one.
        since, until = (time.isoformat() for time in (self._start - DAY, self._start + DAY))
        try:
            with self._adbc.cursor() as cursor:
                table = read_as_of(
                    cursor,
                    bar_table(wallet.interval),
                    ["listing_id", "open_time", "close_time", *PRICES, "knowledge_time"],
                    known_at=self._start + 2 * DAY,
                    recorded_as_of=stored_by,
                    where=f"listing_id IN ({ids}) AND {of_interval(wallet.interval)} AND open_time >= "
                    f"'{since}'::timestamptz AND open_time < '{until}'::timestamptz",
                    order_by=("knowledge_time", "listing_id", "open_time"),
                )
        finally:
            self._adbc.rollback()
        return [
            Bar(
                i=self._index[row["listing_id"]],
                interval=wallet.interval,
                **{**row, "volume": float("nan") if row["volume"] is None else row["volume"]},
            )
            for row in table.to_pylist()
        ]


def in_shares(terms: OrderTerms, ratio: Fraction) -> OrderTerms:
    """The terms with their prices for shares of which `ratio` have become of one."""
    prices = {
        name: scaled(price, 1 / ratio)
        for name, price in (("limit", terms.limit), ("stop", terms.stop), ("trail", terms.trail))
        if price is not None
    }
    return replace(terms, **prices)  # type: ignore[arg-type]  # by name


def _sent_at(row: Any) -> datetime | None:
    at: datetime | None = row.submitted_at
    return at
