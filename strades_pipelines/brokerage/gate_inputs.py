"""What the risk gate measures an order with, out of the database: prices and their age, sessions, orders, losses."""

import math
from datetime import datetime, timedelta

from strades_pipelines.brokerage.asset_choices import read_choice
from strades_pipelines.brokerage.equity_marks import bring_up_to_date
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.prices import Connection, last_bars
from strades_pipelines.market.exposure import Market

MINUTE = timedelta(minutes=1)
RECENT = "SELECT count(*) FROM trading.intents WHERE wallet = %s AND recorded_at > %s AND recorded_at <= %s"
CLOSED = """
    SELECT l.listing_id FROM records.listings AS l
    WHERE l.listing_id = ANY(%(listings)s) AND l.calendar <> '24/7' AND NOT EXISTS (
        SELECT FROM records.sessions AS s
        WHERE s.calendar = l.calendar AND s.open_time <= %(now)s AND %(now)s < s.close_time
        AND (s.break_start IS NULL OR %(now)s < s.break_start OR %(now)s >= s.break_end)
    )
"""


def read_market(connection: Connection, wallet: Wallet, *, now: datetime) -> Market:
    """What is known at `now` (UTC), as far as a limit of the wallet asks. Commits nothing."""
    bars = last_bars(connection, wallet.listings, interval=wallet.interval, known_at=now)
    prices = {listing_id: close for listing_id, (close, _) in bars.items()}
    limits = wallet.limits
    closed: set[int] = set()
    if limits.open_market_only:
        ids = [listing.listing_id for listing in wallet.listings]
        closed = {row[0] for row in connection.execute(CLOSED, {"listings": ids, "now": now})}
    recent = 0
    # A limit that nobody set is infinite, and costs no query.
    if math.isfinite(limits.numbers.max_orders_per_minute):
        row = connection.execute(RECENT, [wallet.name, now - MINUTE, now]).fetchone()
        recent = row[0] if row else 0
    mark = None
    if math.isfinite(limits.numbers.max_daily_loss) or math.isfinite(limits.numbers.max_drawdown):
        mark = bring_up_to_date(connection, wallet, prices, now=now)
    return Market(
        prices,
        known_at={listing_id: since for listing_id, (_, since) in bars.items()},
        closed=closed,
        choice=read_choice(connection, wallet.name, now=now) if limits.chosen_only else None,
        recent_orders=recent,
        day_equity=mark.day_equity if mark else None,
        peak=mark.peak if mark else None,
    )
