"""Checkpoints of trading wallets in the database: where a stepping may go on from, since nothing behind it has changed.

Each row that a strategy is fed with notes its changes in `trading.input_changes` by a trigger: inserts, updates and
deletes, whoever makes them, in the same transaction. A checkpoint keeps PostgreSQL's snapshot (`pg_current_snapshot`)
of before its inputs were read: a change that this does not see came later, however the transactions overlapped.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from strades_pipelines.brokerage.bar_feed import warm_up_start
from strades_pipelines.brokerage.hearing import Hearing
from strades_pipelines.brokerage.live_session import Checkpoint
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.prices import Connection, bar_table
from strades_pipelines.brokerage.record_feed import names_of
from strades_pipelines.brokerage.trading_code import trading_code
from strades_pipelines.brokerage.trading_rows import insert

DECIDE, MEASURE = "decide", "measure"
OTHER_SUBJECTS = {"on_article": "articles", "on_corporate_action": "actions", "on_gap": "sessions"}  # migration 0075
# Changes are kept for a day longer: none is gone that a checkpoint of this age has to see.
KEPT_DAYS = 29
# What is not in a backup that is restored on another server: transaction ids, and the triggers of a table dbt makes.
GROUND = """
    SELECT pg_current_snapshot()::text, now(), (SELECT system_identifier FROM pg_control_system()),
        (SELECT t.oid FROM pg_trigger AS t WHERE t.tgrelid = to_regclass(%s) AND t.tgname = 'inputs_insert')
"""
# `changed_by >= xmin` is for the index alone; what a checkpoint has not seen is decided by `pg_visible_in_snapshot`. A
# `read_at` after now() is of a clock that was put back since, so that its age is not known.
NEWEST = """
    SELECT c.covers_to, c.state FROM trading.wallet_checkpoints AS c
    WHERE c.wallet = %(wallet)s AND c.purpose = %(purpose)s AND c.fingerprint = %(fingerprint)s
        AND c.covers_to <= %(now)s
        AND c.read_at BETWEEN now() - make_interval(days => %(days)s) AND now()
        AND NOT EXISTS (
            SELECT FROM trading.input_changes AS change
            WHERE change.changed_by >= pg_snapshot_xmin(c.seen::pg_snapshot)::text::bigint
                AND NOT pg_visible_in_snapshot(change.changed_by::text::xid8, c.seen::pg_snapshot)
                AND change.subject = ANY(%(subjects)s)
                AND change.known_from < c.covers_to AND change.known_to >= %(since)s
        )
    ORDER BY c.covers_to DESC LIMIT 1
"""
# The newest of a UTC day is kept, of three days: what is revised within a day costs a day of stepping.
THIN_OUT = """
    DELETE FROM trading.wallet_checkpoints AS c
    WHERE c.wallet = %(wallet)s AND c.purpose = %(purpose)s AND (
        c.fingerprint <> %(fingerprint)s
        OR c.covers_to < date_trunc('day', %(covers_to)s::timestamptz, 'UTC') - interval '2 days'
        OR EXISTS (
            SELECT FROM trading.wallet_checkpoints AS later
            WHERE later.wallet = c.wallet AND later.purpose = c.purpose AND later.covers_to > c.covers_to
                AND date_trunc('day', later.covers_to, 'UTC') = date_trunc('day', c.covers_to, 'UTC')
        )
    )
"""
# Trades and quotes come several times a second: a note of them goes after an hour, unless a checkpoint that is behind
# them did not see them. One that is made later sees them.
SEEN_STREAMS = """
    DELETE FROM trading.input_changes AS change
    WHERE (change.subject LIKE 'trades:%' OR change.subject LIKE 'quotes:%')
        AND change.changed_at < now() - interval '1 hour'
        AND change.changed_by < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
        AND NOT EXISTS (
            SELECT FROM trading.wallet_checkpoints AS c
            WHERE c.covers_to > change.known_from
                AND NOT pg_visible_in_snapshot(change.changed_by::text::xid8, c.seen::pg_snapshot)
        )
"""
# Decisions of orders that a fill may still come for, or came for since the checkpoint.
UNDER_WAY = """
    SELECT d.decision_id FROM signals.decisions AS d
    WHERE d.is_pending AND d.wallet = %(wallet)s AND d.order_request IS NOT NULL
    UNION ALL
    SELECT i.decision_id FROM trading.orders AS o INNER JOIN trading.intents AS i USING (intent_id)
    WHERE o.wallet = %(wallet)s AND o.state NOT IN ('filled', 'cancelled', 'replaced', 'rejected', 'expired')
    UNION ALL
    SELECT i.decision_id FROM trading.fills AS f INNER JOIN trading.intents AS i USING (intent_id)
    WHERE f.wallet = %(wallet)s AND f.known_at >= %(covers_to)s
"""


@dataclass(frozen=True)
class Ground:
    """What a stepping rests on, from before its inputs are read.

    Args:
        seen: the snapshot of the database, and when it was, by the database's clock.
        fingerprint: of all that is no row of the inputs: code, setting, listings, tables. None where changes of the
            bars are not noted, and no checkpoint can be told to hold.
        subjects: whose changes count.
        since: changes of what was known before are of no matter.
    """

    seen: str
    read_at: datetime
    fingerprint: str | None
    subjects: Sequence[str]
    since: datetime


def read_ground(connection: Connection, wallet: Wallet) -> Ground:
    """The ground of a stepping that begins now."""
    strategy = wallet.new_strategy()
    row = connection.execute(GROUND, [_stored_bars(wallet.interval)]).fetchone()
    assert row is not None
    seen, read_at, server, trigger = row
    parts = [wallet.strategy, json.dumps(wallet.parameters, sort_keys=True), wallet.interval, wallet.opened_at]
    parts += [str(wallet.opening_cash), *map(repr, wallet.listings), trading_code(strategy), server, trigger]
    parts += [split.movement_id for split in wallet.splits]  # its past is in other shares
    parts += [] if wallet.sleeve is None else [wallet.sleeve.name, str(wallet.sleeve.capital_percent)]
    ids = [listing.listing_id for listing in wallet.listings]
    if strategy.hears("on_article"):  # an article is heard of whom it mentions
        parts += connection.execute(names_of(ids)).fetchall()
    hearing = Hearing.of(strategy, wallet.every)
    parts += [wallet.every] if wallet.every else []
    # Who hears bars of trades hears no others.
    subjects = [] if wallet.every else [f"bars:{listing}:{wallet.interval}" for listing in ids]
    subjects += [] if wallet.every else [f"adjustments:{listing}" for listing in ids]
    subjects += [f"trades:{listing}" for listing in ids if hearing.reads_trades]
    subjects += [f"quotes:{listing}" for listing in ids if strategy.hears("on_quote")]
    subjects += [subject for hook, subject in OTHER_SUBJECTS.items() if strategy.hears(hook)]
    subjects += [f"forecasts:{listing}:{model}" for listing in ids for model in strategy.models]
    fingerprint = None if trigger is None else hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()
    since = warm_up_start(wallet.opened_at, wallet.interval, strategy.lookback)
    window = max(strategy.trade_window, strategy.quote_window, strategy.article_window)
    since = min(since, wallet.opened_at - timedelta(seconds=window), hearing.trades_since(wallet.opened_at))
    return Ground(seen, read_at, fingerprint, [*subjects, f"wallet:{wallet.name}", "*"], since)


def _stored_bars(interval: str) -> str:
    """The table behind `bar_table`, which has the triggers."""
    table = bar_table(interval)
    return "records.candles" if table == "records.adjusted_candles" else table


def newest_checkpoint(
    connection: Connection, wallet: Wallet, ground: Ground, *, now: datetime, purpose: str = DECIDE
) -> Checkpoint | None:
    """The newest checkpoint behind which nothing has changed; None: step from the opening.

    Args:
        purpose: what it was stored for, with all that came of the events before it: DECIDE or MEASURE.
    """
    row = connection.execute(
        NEWEST,
        {
            "wallet": wallet.name,
            "purpose": _purpose(wallet, purpose),
            "fingerprint": ground.fingerprint,
            "subjects": list(ground.subjects),
            "since": ground.since,
            "now": now,
            "days": KEPT_DAYS,
        },
    ).fetchone()
    if row is None:
        return None
    try:
        return Checkpoint(row[0], json.loads(row[1]))
    # A state that cannot be read costs a stepping from the opening, and nothing else.
    except (ValueError, RecursionError):
        return None


def store_checkpoint(
    connection: Connection, wallet: Wallet, ground: Ground, checkpoint: Checkpoint, *, purpose: str = DECIDE
) -> None:
    """Store a checkpoint, with or after what came of the events before it, decisions or results. Commits nothing."""
    if ground.fingerprint is None:
        return
    row = {
        "wallet": wallet.name,
        "purpose": _purpose(wallet, purpose),
        "covers_to": checkpoint.covers_to,
        "fingerprint": ground.fingerprint,
        "seen": ground.seen,
        "read_at": ground.read_at,
        "state": json.dumps(_without_past_orders(connection, wallet, checkpoint)),
    }
    insert(connection, "trading.wallet_checkpoints", row, replace=("wallet", "purpose", "covers_to"))
    connection.execute(THIN_OUT, row)


def _purpose(wallet: Wallet, purpose: str) -> str:
    """Each sleeve has checkpoints of its own."""
    return purpose if wallet.sleeve is None else f"{purpose}:{wallet.sleeve.name}"


def delete_old_changes(connection: Connection) -> int:
    """Delete the changes that no checkpoint has to see any more; returns how many. Commits nothing."""
    statement = "DELETE FROM trading.input_changes WHERE changed_at < now() - make_interval(days => %s)"
    deleted = connection.execute(statement, [KEPT_DAYS + 1]).rowcount
    return deleted + connection.execute(SEEN_STREAMS).rowcount


def _without_past_orders(connection: Connection, wallet: Wallet, checkpoint: Checkpoint) -> dict[str, Any]:
    """The state, which then does not grow with the orders that were ever made.

    It forgets those that are over in the engine and at the venue. Where something is about one of them after all, the
    stepping begins at the opening (`ForgottenOrder`).
    """
    state, names = checkpoint.state, {"wallet": wallet.name, "covers_to": checkpoint.covers_to}
    known = {decision_id for (decision_id,) in connection.execute(UNDER_WAY, names)}
    under_way, journal = set(state["under_way"]), state["journal"]
    orders = [order for order in journal["orders"] if order[0] in under_way or order[2] in known]
    groups = {order[3] for order in orders}
    kept = {**journal, "orders": orders, "groups": [group for group in journal["groups"] if group[0] in groups]}
    return {**state, "journal": kept}
