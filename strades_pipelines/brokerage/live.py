"""The live edge: stepped up to now, with what was really filled; only new decisions are kept."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from strades_pipelines.brokerage.checkpoints import MEASURE, newest_checkpoint, read_ground, store_checkpoint
from strades_pipelines.brokerage.decision_store import store_decisions
from strades_pipelines.brokerage.equity_curve import NO_CURVE, curve_of, read_curve
from strades_pipelines.brokerage.execution import wallet_lock
from strades_pipelines.brokerage.feed import fills_in_order
from strades_pipelines.brokerage.movements import cash_flows
from strades_pipelines.brokerage.order_book import cancellable, request_cancel
from strades_pipelines.brokerage.portfolio import Wallet, fills_of_session, load_wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.results import KEYS, delete_joined_trips, delete_vanished, last_closes_at, result_rows
from strades_pipelines.brokerage.session_cache import SessionCache
from strades_pipelines.brokerage.splits import SplitError, book_splits, due_splits
from strades_pipelines.brokerage.stepping import read_bars, step
from strades_pipelines.brokerage.trading_code import trading_code
from strades_pipelines.brokerage.trading_rows import frame, insert, refusal_row
from strades_pipelines.database.bulk import NOTHING, Loaded, load
from strades_pipelines.database.crash import crash_point
from strades_pipelines.database.pipelining import commit_lazily
from strades_pipelines.market.order_terms import Refusal, TradingDecision
from strades_pipelines.strategy.events import microseconds, moment
from strades_pipelines.system.json_logs import log_ids

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

LOGGER = logging.getLogger(__name__)
Result = TypeVar("Result")
DECISIONS_CHANNEL = "strades_decisions"  # says which wallet has new decisions, as they are committed
APPROVED_CODE = """
    SELECT coalesce(s.code_hash, w.code_hash) FROM trading.wallets AS w
    LEFT JOIN trading.sleeves AS s ON w.wallet = s.wallet AND s.sleeve = %s WHERE w.wallet = %s
"""
DECIDING = """
    SELECT set_config('lock_timeout', '60s', true), pg_advisory_xact_lock(hashtextextended(%s, 0))
"""


class SleeveError(ValueError):
    """Strategies of a wallet with several could not decide; one line."""


class Transactional(Protocol):
    """A connection of any driver."""

    def rollback(self) -> object:
        """Undo what was not committed."""
        ...


def decide(
    connection: Connection,
    adbc: "AdbcConnection",
    name: str,
    *,
    now: datetime,
    faults: Mapping[str, str] | None = None,
    sessions: SessionCache | None = None,
) -> list[TradingDecision]:
    """Step a wallet's strategies up to and with `now` and keep the decisions that are new; returns those. Commits.

    Each goes on from its newest checkpoint that holds, so that it costs what is new. Of several strategies each decides
    for itself, and what one of them raises stops that one alone.

    Args:
        faults: why sleeves of the wallet cannot be made as its owner wrote them: those decide nothing.
        sessions: those that a process which decides often keeps in memory; None: each pass builds its own.

    Raises:
        StrategyError: when the strategy raises; nothing of it is written then.
        SleeveError: what strategies of several raised, after the others have decided.
        SplitError: what it trades was split, and its bars or books do not follow yet; nothing is written then.
    """
    decide_all = partial(_decide_all, connection, adbc, now=now, faults=faults or {}, sessions=sessions)
    try:
        return decide_all(load_wallet(connection, name))
    except SplitError:
        # Looked for once, when all is read: what is decided then rests on no split that nobody has booked.
        connection.rollback()
        adbc.rollback()
        with wallet_lock(connection, name):
            book_splits(connection, load_wallet(connection, name), now=now)
        return decide_all(load_wallet(connection, name))


def _decide_all(
    connection: Connection,
    adbc: "AdbcConnection",
    wallet: Wallet,
    *,
    now: datetime,
    faults: Mapping[str, str],
    sessions: SessionCache | None,
) -> list[TradingDecision]:
    if not wallet.sleeves:
        return _decide(connection, adbc, wallet, now=now, sessions=sessions)
    new: list[TradingDecision] = []
    errors = [f"strategy {sleeve}: {fault}" for sleeve, fault in faults.items()]
    for view in wallet.strategy_views():
        if view.title in faults:
            continue
        try:
            new += _decide(connection, adbc, view, now=now, sessions=sessions)
        # It stops all of them: they share the books that the split changes.
        except SplitError:
            raise
        except Exception as error:
            connection.rollback()
            adbc.rollback()
            errors.append(f"strategy {view.title}: {_line(error)}")
    if errors:
        raise SleeveError("; ".join(errors))
    return new


def _decide(
    connection: Connection, adbc: "AdbcConnection", wallet: Wallet, *, now: datetime, sessions: SessionCache | None
) -> list[TradingDecision]:
    """Step one strategy of a wallet, and keep what it decided. Commits.

    One at a time: a stepping that had read less would take back what another has decided meanwhile.
    """
    connection.execute(DECIDING, [f"strades.decide:{wallet.name}"])
    if wallet.mode == "live":
        _check_code(connection, wallet)
    ground = read_ground(connection, wallet)
    if sessions is None:
        base = newest_checkpoint(connection, wallet, ground, now=now)
        stepped = step(connection, adbc, wallet, now=now, base=base)
    else:
        stepped = sessions.step(connection, adbc, wallet, ground, now=now)
    new = store_decisions(connection, stepped.decisions, stepped.targets, stepped.wallet, now=now)
    for made in new:
        if made.decision_id in stepped.refused:
            code = stepped.refused[made.decision_id]
            refusal = Refusal(made.decision_id, code, f"the strategy's own order: {code}")
            insert(connection, "trading.refusals", refusal_row(refusal, wallet.name, now))
    for decision_id in cancellable(connection, list(stepped.cancelled)):
        request_cancel(connection, decision_id, by="the strategy", at=moment(stepped.cancelled[decision_id]), now=now)
    if stepped.checkpoint is not None:
        store_checkpoint(connection, wallet, ground, stepped.checkpoint)
    if due_splits(connection, wallet, now=now):
        raise SplitError(
            f"wallet {wallet.name}: what it trades was split while it decided; the next pass takes that in"
        )
    if new:
        # It is delivered with the commit, so that whoever listens finds the decisions.
        connection.execute("SELECT pg_notify(%s, %s)", [DECISIONS_CHANNEL, wallet.name])
    crash_point("signals.decisions_written")
    commit_lazily(connection)  # no order is sent before a later commit
    # Only after the commit: a session ahead of decisions that were rolled back would never make them again.
    if sessions is not None:
        sessions.commit(wallet)
    crash_point("signals.decisions_committed")
    return new


def _check_code(connection: Connection, wallet: Wallet) -> None:
    """Refuse to decide by other code than the wallet's, which is what people approve: `open_wallet` has written it.

    Raises:
        ValueError: this process has loaded other code.
    """
    row = connection.execute(APPROVED_CODE, [wallet.sleeve_name, wallet.name]).fetchone()
    if row is None or row[0] != trading_code(wallet.new_strategy()):
        raise ValueError(
            "this process has loaded other code than that of the live wallet: restart whatever trades or streams, "
            "and see the page Live of the dashboard"
        )


def measure(connection: Connection, adbc: "AdbcConnection", name: str, *, now: datetime) -> Loaded:
    """Bring the wallet's rows in results up to `now`. Commits.

    It steps from a checkpoint of its own, up to which the curve is stored: decisions are made more often than measured.
    What a wallet holds has a value also when its strategy raises, or cannot be made any more.
    """
    # What it holds is measured by the bars of its interval, whatever its strategy hears.
    wallet = replace(load_wallet(connection, name), every="")
    try:
        return _measure(connection, adbc, wallet, now=now)
    except Exception as error:  # a strategy may raise anything; what is not its fault is raised again below
        connection.rollback()
        adbc.rollback()
        LOGGER.warning("wallet %s: measured without its strategy: %s", name, _line(error))
        return _measure(connection, adbc, wallet.without_strategy(), now=now)


def _measure(connection: Connection, adbc: "AdbcConnection", wallet: Wallet, *, now: datetime) -> Loaded:
    name, ground = wallet.name, read_ground(connection, wallet)
    base = newest_checkpoint(connection, wallet, ground, now=now, purpose=MEASURE)
    stepped = step(connection, adbc, wallet, now=now, base=base, is_deciding=False)
    fills, closes = stepped.fills, stepped.feed.columns
    flows = cash_flows(connection, wallet)
    past = NO_CURVE
    if stepped.resumed_at is not None:
        fills = fills_in_order(fills_of_session(connection, wallet))
        past = read_curve(adbc, name, until=moment(stepped.resumed_at))
        closes = read_bars(adbc, wallet, now=now).columns
    curve = curve_of(
        stepped.progress, microseconds(wallet.opened_at), wallet.opening_cash, fills, flows, past, stepped.resumed_at
    )
    if not len(curve.times):  # opened just now: no bar has closed since
        return NOTHING
    prices = last_closes_at(closes, len(wallet.listings), curve.times)
    first = len(past.times)
    rows = result_rows(name, wallet.listings, curve, prices, float(wallet.opening_cash), fills, flows, first=first)
    try:
        with adbc.cursor() as cursor:
            loaded = NOTHING
            for table, measured in rows.items():
                loaded += load(cursor, table, frame(measured), key=KEYS[table], now=now)
            delete_vanished(cursor, name, rows["results.equity"])
            delete_joined_trips(cursor, name, rows["results.round_trips"])
        crash_point("results.written")
        adbc.commit()
    finally:
        adbc.rollback()
    # After the results, in a commit of its own: killed between the two, the next measure writes the same rows again.
    # The other way round the curve would have a hole.
    if stepped.checkpoint is not None:
        store_checkpoint(connection, wallet, ground, stepped.checkpoint, purpose=MEASURE)
        connection.commit()
    return loaded


def for_each(
    wallets: Iterable[str], work: Callable[[str], Result], connections: Sequence[Transactional]
) -> tuple[dict[str, Result], dict[str, str]]:
    """Do the work for each wallet; what one of them raises stops that one alone.

    Args:
        connections: all that the work uses: a transaction that failed on any of them would fail the next wallet too.

    Returns:
        The results by wallet, and the errors by wallet, in one line each.
    """
    results: dict[str, Result] = {}
    errors: dict[str, str] = {}
    for name in wallets:
        try:
            with log_ids(wallet=name):
                results[name] = work(name)
        except Exception as error:
            errors[name] = _line(error)
            for connection in connections:
                with suppress(Exception):  # one that is broken is told by the next wallet's own work
                    connection.rollback()
    return results, errors


def join_errors(*found: Mapping[str, str]) -> dict[str, str]:
    """The errors by wallet of several works, in one line each; what two of them say alike is said once."""
    lines: dict[str, dict[str, None]] = {}
    for errors in found:
        for wallet, error in errors.items():
            lines.setdefault(wallet, {})[error] = None
    return {wallet: "; ".join(said) for wallet, said in lines.items()}


def _line(error: Exception) -> str:
    return (str(error) or repr(error)).splitlines()[0]
