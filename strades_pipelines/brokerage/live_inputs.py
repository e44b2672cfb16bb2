"""What a step of a trading wallet's strategy is fed with: events, fills, ends of orders and cash flows that are new."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from strades_pipelines.brokerage.feed import StoredFeed, fills_in_order, read_feed
from strades_pipelines.brokerage.hearing import Hearing
from strades_pipelines.brokerage.live_engine import OrderEnd, order_ends
from strades_pipelines.brokerage.model_trust import check_models
from strades_pipelines.brokerage.movements import CashFlow, cash_flows
from strades_pipelines.brokerage.portfolio import Wallet, fills_of_session
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.market.bars_and_fills import Fill

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

INSTANT = timedelta(microseconds=1)
# One snapshot for all that is read of the feed: a change that it does not see is of no event that was stepped through.
ONE_SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
SNAPSHOT = "SELECT pg_current_snapshot()::text"
FILLED_BEFORE = """
    SELECT f.intent_id FROM trading.fills AS f
    INNER JOIN trading.intents AS i USING (intent_id)
    INNER JOIN signals.decisions AS d USING (decision_id)
    WHERE f.wallet = %(wallet)s AND f.known_at >= %(since)s AND d.decided_at < %(since)s
        AND d.order_request IS NOT NULL AND d.trigger_kind <> 'person'
        AND (%(sleeve)s::text IS NULL OR d.strategy = %(sleeve)s)
"""


@dataclass(frozen=True)
class WantedInputs:
    """Which events a strategy is fed with: forecasts of `models`, bars with a warm-up of `lookback`, other records."""

    models: Sequence[str]
    lookback: int
    hearing: Hearing


@dataclass(frozen=True)
class LiveInputs:
    """What was read for a step.

    Args:
        seen: PostgreSQL's snapshot that the feed was read in; the others were read after it was taken.
        fills: in the order in which their events are numbered.
        ends: of orders of the strategy's own.
        flows: all of the wallet.
    """

    seen: str
    feed: StoredFeed
    fills: list[Fill]
    ends: list[OrderEnd]
    flows: list[CashFlow]


def read_inputs(
    connection: Connection,
    adbc: "AdbcConnection",
    wallet: Wallet,
    wanted: WantedInputs,
    *,
    since: datetime | None,
    now: datetime,
    ended_since: datetime | None,
    stored_by: datetime | None,
) -> LiveInputs:
    """Read what was known in `[since, now]`. Ends the transaction of `adbc`.

    Args:
        since: None: from the wallet's opening on, with the warm-up.
        ended_since: only orders whose end we heard of then or later.
        stored_by: the rows as they were stored at this time; None: as they are.

    Raises:
        LookupError: for a model that the database does not know.
    """
    adbc.rollback()  # a snapshot is taken at the beginning of a transaction
    try:
        with adbc.cursor() as cursor:
            cursor.execute(ONE_SNAPSHOT)
            cursor.execute(SNAPSHOT)
            [(seen,)] = cursor.fetchall()
            fills = fills_in_order(fills_of_session(connection, wallet, since=since, stored_by=stored_by))
            ends = order_ends(connection, wallet, since=ended_since)
            flows = cash_flows(connection, wallet)
            check_models(cursor, wanted.models)
            feed = read_feed(
                cursor,
                wallet.listings,
                interval=wallet.interval,
                opened_at=wallet.opened_at,
                end=now + INSTANT,
                lookback=wanted.lookback,
                models=wanted.models,
                fills=fills,
                since=since,
                stored_by=stored_by,
                hearing=wanted.hearing,
            )
    finally:
        adbc.rollback()
    return LiveInputs(seen, feed, fills, ends, list(flows))


def filled_before(connection: Connection, wallet: Wallet, covers_to: datetime) -> list[str]:
    """The orders from before a checkpoint that were filled since, each of a strategy's own."""
    of_strategy = {
        "wallet": wallet.name,
        "since": covers_to,
        # Where nothing is decided, no order is anyone's to remember.
        "sleeve": "" if wallet.sleeves else wallet.sleeve_name,
    }
    return [intent_id for (intent_id,) in connection.execute(FILLED_BEFORE, of_strategy)]
