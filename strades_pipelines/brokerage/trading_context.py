"""`TradingContext`: the present state of all that is traded, in one read-only, hashed report.

The same object from code, from `strades context`, and in `trading.contexts`, which the step that trades writes.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from strades_pipelines.brokerage.portfolio import Wallet, load_wallet
from strades_pipelines.brokerage.prices import Connection, bar_table, of_interval
from strades_pipelines.brokerage.snapshot import read_snapshot
from strades_pipelines.brokerage.trading_rows import to_json
from strades_pipelines.brokerage.wallet_status import OwnerStatus, WalletStatus, wallet_status
from strades_pipelines.market.bars_and_fills import stamp
from strades_pipelines.market.ledger_chain import plain
from strades_pipelines.market.limits import LIMITS

# Those that trade, and of each replayed one the last replay.
WALLETS = """
    SELECT wallet FROM trading.wallets WHERE mode <> 'replay'
    UNION SELECT wallet FROM results.current_wallets ORDER BY wallet
"""
PENDING_DECISIONS = """
    SELECT d.decision_id, d.strategy, l.venue || ':' || l.symbol AS instrument, d.decided_at, d.trigger_kind, d.target,
        d.order_request, d.reason
    FROM signals.decisions AS d INNER JOIN records.listings AS l USING (listing_id)
    WHERE d.is_pending AND d.wallet = %s ORDER BY d.decided_at, d.ordinal, d.decision_id
"""
FILLS = """
    SELECT f.fill_id, f.intent_id, l.venue || ':' || l.symbol AS instrument, f.side, f.quantity, f.price, f.fee,
        f.currency, coalesce(f.fee_currency, f.currency) AS fee_currency, f.filled_at, d.strategy
    FROM trading.fills AS f INNER JOIN records.listings AS l USING (listing_id)
    INNER JOIN trading.intents AS i USING (intent_id)
    INNER JOIN signals.decisions AS d USING (decision_id)
    WHERE f.wallet = %s ORDER BY f.filled_at DESC, f.fill_id LIMIT %s
"""
HALTS = "SELECT scope, name, state, reason, since FROM trading.halts ORDER BY scope, name"
FINDINGS = """
    SELECT finding_id, account, wallets, code, symbol, quantity, amount, detail, found_at FROM trading.findings
    WHERE state = 'open' ORDER BY finding_id
"""
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class TradingContext:
    """The state at `as_of` (UTC), as JSON has it: times in ISO 8601 with Z, exact numbers as text.

    Args:
        wallets: with cash, profit, equity at the last known closes and rates (`unvalued`: the currencies without one),
            the time of the last decision, and where several strategies share one, each of them.
        pending: decisions that no pass has taken up yet, and orders that are not over.
        history: the newest fills of each wallet, newest first.
        limits: what the gate goes by, by the names of `market.limits.LIMITS`; null where there is no limit.
        freshness: the newest bar of each instrument that a wallet sees.
        state: the state of each wallet that counts, the halts of strategies and of everything, and the findings of
            reconciliation that stand.
    """

    as_of: str
    wallets: Rows
    pending: Rows
    positions: Rows
    history: Rows
    limits: Rows
    freshness: Rows
    state: dict[str, Any]

    @property
    def content_hash(self) -> str:
        """SHA-256 in hex over everything but `as_of`: equal for equal state."""
        content = {name: value for name, value in asdict(self).items() if name != "as_of"}
        return hashlib.sha256(to_json(content).encode()).hexdigest()

    def document(self) -> dict[str, Any]:
        """What `strades context --json` prints."""
        return {**asdict(self), "content_hash": self.content_hash}


def read_context(connection: Connection, *, now: datetime, fills: int = 100) -> TradingContext:
    """The state as one moment saw it.

    Args:
        connection: with no transaction open; it is left so.
        fills: how many fills of each wallet at most.
    """
    with read_snapshot(connection):
        names = [name for (name,) in connection.execute(WALLETS)]
        wallets = [load_wallet(connection, name) for name in names]
        statuses = [wallet_status(connection, wallet, now=now) for wallet in wallets]
        return TradingContext(
            as_of=stamp(now),
            wallets=[_wallet(status) for status in statuses],
            pending=[row for status in statuses for row in _pending(connection, status)],
            positions=[
                _json({"wallet": status.wallet.name, **asdict(position)})
                for status in statuses
                for position in status.positions
            ],
            history=[
                _json({"wallet": name, **row}) for name in names for row in _rows(connection, FILLS, [name, fills])
            ],
            limits=[_limits(wallet) for wallet in wallets],
            freshness=[row for wallet in wallets for row in _freshness(connection, wallet, now)],
            state={
                "wallets": {wallet.name: {"state": wallet.state, "reason": wallet.state_reason} for wallet in wallets},
                "halts": [_json(row) for row in _rows(connection, HALTS, [])],
                "findings": [_json(row) for row in _rows(connection, FINDINGS, [])],
            },
        )


# One that says what the newest says is not kept.
RECORD = """
    INSERT INTO trading.contexts (content_hash, as_of, run_id, document)
    SELECT %(hash)s, %(now)s, %(run_id)s, %(document)s
    WHERE %(hash)s IS DISTINCT FROM (SELECT content_hash FROM trading.contexts ORDER BY context_id DESC LIMIT 1)
"""


def record_context(connection: Connection, *, now: datetime, run_id: str) -> TradingContext:
    """Read the state and keep it, where it is not that of the newest report kept; returns it. Commits.

    Args:
        connection: with no transaction open.
        run_id: of the run that asks.
    """
    found = read_context(connection, now=now)
    row = {"hash": found.content_hash, "now": now, "run_id": run_id, "document": to_json(found.document())}
    connection.execute(RECORD, row)
    connection.commit()
    return found


def _wallet(status: WalletStatus) -> dict[str, Any]:
    wallet = status.wallet
    return _json(
        {
            "wallet": wallet.name,
            "mode": wallet.mode,
            "strategy": wallet.strategy,
            "parameters": wallet.parameters,
            "instruments": [listing.name for listing in wallet.listings],
            "interval": wallet.interval,
            "opened_at": wallet.opened_at,
            "currency": wallet.currency,
            "cash": status.cash,
            "foreign_cash": {currency: plain(cash) for currency, cash in status.foreign_cash.items()},
            "equity": status.equity,
            "unvalued": status.unvalued,
            "realised": status.realised,
            "unrealised": status.unrealised,
            "last_decision_at": status.last_decision_at,
            "strategies": [_owner(owner) for owner in status.owners],
        }
    )


def _owner(owner: OwnerStatus) -> dict[str, Any]:
    positions = [_json(asdict(position)) for position in owner.positions]
    return _json({**asdict(owner), "unrealised": owner.unrealised, "positions": positions})


def _pending(connection: Connection, status: WalletStatus) -> Iterator[dict[str, Any]]:
    wallet = {"wallet": status.wallet.name}
    for row in _rows(connection, PENDING_DECISIONS, [status.wallet.name]):
        target = row["target"] if row["target"] == row["target"] else None  # JSON has no NaN
        yield _json({"kind": "decision", **wallet, **row, "target": target})
    for order in status.orders:
        yield _json({"kind": "order", **wallet, **asdict(order)})


def _limits(wallet: Wallet) -> dict[str, Any]:
    limits = wallet.limits
    in_force = {limit.name: limits.in_force(limit) for limit in LIMITS}
    return _json(
        {
            "wallet": wallet.name,
            "max_decision_age_seconds": wallet.max_age.total_seconds(),
            "fee_rate": wallet.fee_rate,
            **in_force,
        }
    )


def _freshness(connection: Connection, wallet: Wallet, now: datetime) -> Iterator[dict[str, Any]]:
    for listing in wallet.listings:
        newest = _rows(
            connection,
            f"""
            SELECT close_time, knowledge_time FROM {bar_table(wallet.interval)}
            WHERE listing_id = %s AND {of_interval(wallet.interval)} AND knowledge_time <= %s
            ORDER BY open_time DESC LIMIT 1
            """,
            [listing.listing_id, now],
        )
        bar = newest[0] if newest else {"close_time": None, "knowledge_time": None}
        yield _json({"wallet": wallet.name, "instrument": listing.name, "interval": wallet.interval, **bar})


def _rows(connection: Connection, query: str, parameters: list[Any]) -> Rows:
    cursor = connection.execute(query, parameters)
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def _json(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in row.items()}


def _value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return plain(value)
    return stamp(value) if isinstance(value, datetime) else value
