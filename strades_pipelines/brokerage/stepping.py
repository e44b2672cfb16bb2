"""A trading wallet's strategy stepped up to now, once: from a checkpoint, or from the opening."""

import logging
from datetime import datetime
from typing import TYPE_CHECKING

from strades_pipelines.brokerage.decisions import ForgottenOrder
from strades_pipelines.brokerage.feed import StoredFeed, read_feed
from strades_pipelines.brokerage.live_inputs import INSTANT
from strades_pipelines.brokerage.live_session import Checkpoint, LiveSession, Stepped
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.engine.saved_state import NotRestorable

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

LOGGER = logging.getLogger(__name__)


def step(
    connection: Connection,
    adbc: "AdbcConnection",
    wallet: Wallet,
    *,
    now: datetime,
    base: Checkpoint | None = None,
    stored_by: datetime | None = None,
    is_deciding: bool = True,
) -> Stepped:
    """What the strategy saw and decided up to and with `now`. Writes nothing.

    Args:
        base: a checkpoint whose inputs are unchanged; None to step from the wallet's opening.
        stored_by: on the inputs as they were stored at this time; None: as they are. Not with a checkpoint.
        is_deciding: False: it is fed with bars and forecasts alone, by which what it holds is measured.

    Raises:
        StrategyError: when the strategy raises.
        LookupError: for a model that the database does not know.
    """
    session, stepped = begin(connection, adbc, wallet, now=now, base=base, stored_by=stored_by, is_deciding=is_deciding)
    session.finish()
    return stepped


def begin(
    connection: Connection,
    adbc: "AdbcConnection",
    wallet: Wallet,
    *,
    now: datetime,
    base: Checkpoint | None = None,
    stored_by: datetime | None = None,
    is_deciding: bool = True,
) -> tuple[LiveSession, Stepped]:
    """As `step`, with the session, which may go on."""
    if base is not None:
        try:
            session = LiveSession(wallet, base, is_deciding=is_deciding)
            return session, session.step(connection, adbc, now=now)
        except (NotRestorable, ForgottenOrder) as error:
            # A checkpoint is only a cache: one that no longer fits is replaced by stepping from the opening.
            LOGGER.info("wallet %s: stepped from its opening: %s", wallet.name, error)
    session = LiveSession(wallet, stored_by=stored_by, is_deciding=is_deciding)
    return session, session.step(connection, adbc, now=now)


def read_bars(adbc: "AdbcConnection", wallet: Wallet, *, now: datetime) -> StoredFeed:
    """The bars that a wallet has seen up to and with `now`, those of its warm-up too."""
    lookback = wallet.new_strategy().lookback
    try:
        with adbc.cursor() as cursor:
            return read_feed(
                cursor,
                wallet.listings,
                interval=wallet.interval,
                opened_at=wallet.opened_at,
                end=now + INSTANT,
                lookback=lookback,
            )
    finally:
        adbc.rollback()
