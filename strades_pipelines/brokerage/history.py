"""A wallet's sessions in results, kept up to date at the cost of what is new: profits, owners, figures of returns."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from strades_pipelines.brokerage.exchange_rates import known_rates
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.prices import Connection, bar_table, of_interval
from strades_pipelines.brokerage.return_figures import measure_returns
from strades_pipelines.brokerage.trading_rows import Row, insert, to_json
from strades_pipelines.database.crash import crash_point
from strades_pipelines.market.bars_and_fills import Fill
from strades_pipelines.market.ledger_chain import FLOWS, INCOME, UNIT_FEE, Entry, plain
from strades_pipelines.market.rounding import exact, scaled
from strades_pipelines.market.session_history import (
    AccountState,
    Owner,
    Period,
    Quotes,
    SessionAccount,
    Step,
    account_session,
)
from strades_pipelines.market.split_arithmetic import ratio_since, standing

DAY, INSTANT = timedelta(days=1), timedelta(microseconds=1)
NEWEST = """
    SELECT starts_at, last_sequence FROM results.wallet_sessions WHERE wallet = %s ORDER BY session_date DESC LIMIT 1
"""
# The newest line, and the earliest time of the lines that no session has in it yet.
NEW_LINES = """
    SELECT
        (SELECT max(l.sequence) FROM trading.ledger AS l WHERE l.wallet = %(wallet)s),
        (SELECT min(l.occurred_at) FROM trading.ledger AS l WHERE l.wallet = %(wallet)s AND l.sequence > %(covered)s)
"""
# The session to begin again with: the one that the earliest new line belongs to.
SESSION_OF = """
    SELECT starts_at FROM results.wallet_sessions WHERE wallet = %s AND starts_at <= %s
    ORDER BY session_date DESC LIMIT 1
"""
BEFORE = """
    SELECT closing, state FROM results.wallet_sessions WHERE wallet = %s AND starts_at < %s
    ORDER BY session_date DESC LIMIT 1
"""
# A split comes before the fills of its instant: these are in new shares already.
STEPS = """
    SELECT l.kind, l.reference, l.occurred_at, l.currency, l.amount, d.strategy,
        CASE WHEN i.broker = 'statement' THEN 'statement' WHEN d.trigger_kind = 'person' THEN 'person'
            ELSE 'algorithm' END,
        f.listing_id, f.fill_id, f.intent_id, f.side, f.quantity, f.price, f.fee, f.currency, f.filled_at, f.known_at,
        f.bar_interval, f.bar_open_time, f.fee_currency, f.fee_in_units, f.fee_value, f.venue_fill_id
    FROM trading.ledger AS l
    LEFT JOIN trading.fills AS f ON l.kind = 'fill' AND l.reference = f.fill_id
    LEFT JOIN trading.intents AS i USING (intent_id)
    LEFT JOIN signals.decisions AS d USING (decision_id)
    WHERE l.wallet = %s AND l.occurred_at >= %s AND l.occurred_at <= %s AND l.sequence <= %s
    ORDER BY l.occurred_at, l.kind <> 'split', l.sequence
"""
# The sessions that end after a time, with the one that is open.
SESSIONS = """
    SELECT s.session_date, s.close_time FROM records.sessions AS s
    WHERE s.calendar = %(calendar)s AND s.close_time > %(start)s
        AND s.close_time <= (
            SELECT min(o.close_time) FROM records.sessions AS o
            WHERE o.calendar = %(calendar)s AND o.close_time > %(now)s
        )
    ORDER BY s.close_time
"""


def measure_history(connection: Connection, wallet: Wallet, *, now: datetime) -> int:
    """Bring a wallet's sessions up to `now`, those of a replay to its end; returns how many were worked out. Commits.

    The session that is open is worked out each time, those before only where lines came since that belong to them: a
    statement of last month, say. Each goes on from the books that the one before ended with.
    """
    key = f"strades.history:{wallet.name}"
    # Two measurements at once would each delete what the other has written.
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])
    start, last = _where_to_begin(connection, wallet)
    now = min(now, _last_instant(connection, wallet) or now)
    if last is None:
        connection.rollback()
        return 0
    periods = session_periods(connection, wallet, start, now)
    steps = read_steps(connection, wallet, start, now, last)
    before = connection.execute(BEFORE, [wallet.name, start]).fetchone()
    opening, state = (before[0], AccountState.from_json(before[1])) if before else (Decimal(0), AccountState())
    quotes = _read_quotes(connection, wallet, state, steps, [min(period.ends_at, now) for period in periods])
    for table in ("wallet_sessions", "session_attribution"):
        connection.execute(
            f"DELETE FROM results.{table} WHERE wallet = %s AND session_date >= %s",
            [wallet.name, periods[0].session_date],
        )
    place = 0
    for period in periods:
        first = place
        while place < len(steps) and steps[place].entry.occurred_at < period.ends_at:
            place += 1
        valued_at = min(period.ends_at, now)
        account = account_session(state, opening, steps[first:place], quotes, period, valued_at)
        _write(connection, wallet, account, last)
        opening = account.closing
    measure_returns(connection, wallet, last=last, only_open=len(periods) == 1)
    crash_point("results.sessions_written")
    connection.commit()
    return len(periods)


def _last_instant(connection: Connection, wallet: Wallet) -> datetime | None:
    """The last instant that a replay saw: its window ends before its end."""
    row = connection.execute("SELECT window_end FROM trading.wallets WHERE wallet = %s", [wallet.name]).fetchone()
    return row[0] - INSTANT if row and row[0] else None


def _where_to_begin(connection: Connection, wallet: Wallet) -> tuple[datetime, int | None]:
    """The start of the first session to work out, and the newest line; None where there is no ledger."""
    newest = connection.execute(NEWEST, [wallet.name]).fetchone()
    covered = newest[1] if newest else -1
    row = connection.execute(NEW_LINES, {"wallet": wallet.name, "covered": covered}).fetchone()
    last, earliest = row or (None, None)
    if newest is None:
        return min(filter(None, [wallet.opened_at, earliest])), last
    if earliest is None or earliest >= newest[0]:
        return newest[0], last
    found = connection.execute(SESSION_OF, [wallet.name, earliest]).fetchone()
    return (found[0] if found else earliest), last


def session_periods(connection: Connection, wallet: Wallet, start: datetime, now: datetime) -> list[Period]:
    """The sessions from `start` to the one that is open at `now`, without a gap between them.

    They are those of the exchange where all instruments have one and its sessions are known; else days of UTC. What
    happens between two sessions belongs to the later one.
    """
    rows = connection.execute(
        "SELECT DISTINCT calendar FROM records.listings WHERE listing_id = ANY(%s)",
        [[listing.listing_id for listing in wallet.listings]],
    ).fetchall()
    ends: list[tuple[Any, datetime]] = []
    if len(rows) == 1 and rows[0][0] != "24/7":
        ends = connection.execute(SESSIONS, {"calendar": rows[0][0], "start": start, "now": now}).fetchall()
    if not ends:
        midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
        days = max(0, (now - midnight) // DAY) + 1
        ends = [((midnight + n * DAY).date(), midnight + (n + 1) * DAY) for n in range(days)]
    periods: list[Period] = []
    for session_date, end in ends:
        periods.append(Period(session_date, periods[-1].ends_at if periods else start, end))
    return periods


def read_steps(connection: Connection, wallet: Wallet, start: datetime, end: datetime, last: int) -> list[Step]:
    """The lines of a wallet's ledger in [start, end], up to the line `last`, in the order of their times."""
    steps = []
    # The two lines of one that was taken back are cash there and back again, at one instant.
    splits = {split.movement_id: split for split in standing(wallet.splits)}
    for kind, reference, at, currency, amount, strategy, source, *fill in connection.execute(
        STEPS, [wallet.name, start, end, last]
    ):
        entry = Entry(kind, reference, at, currency, amount)
        if kind != "fill":
            steps.append(Step(entry, split=splits.get(reference)))
            continue
        holder = wallet.owner_of(strategy) if wallet.sleeves else ""
        steps.append(Step(entry, Fill(0, *fill), Owner(strategy, source), holder=holder))
    return steps


def _read_quotes(
    connection: Connection, wallet: Wallet, state: AccountState, steps: Sequence[Step], ends: Sequence[datetime]
) -> dict[datetime, Quotes]:
    """Prices and rates at the end of each session, and at each flow and income."""
    apart = (*FLOWS, *INCOME)
    times = sorted({*ends, *(step.entry.occurred_at for step in steps if step.entry.kind in apart)})
    moved = {step.entry.currency for step in steps if step.entry.kind != UNIT_FEE}
    currencies = {*state.cash, *moved} - {wallet.currency}
    prices: dict[datetime, dict[int, Decimal]] = {time: {} for time in times}
    ids = [listing.listing_id for listing in wallet.listings]
    restating = [split for split in wallet.splits if split.restates]
    for time, listing_id, close in connection.execute(
        f"""
        SELECT cut.at, listing.id, newest.close
        FROM unnest(%s::timestamptz[]) AS cut (at)
        CROSS JOIN unnest(%s::integer[]) AS listing (id)
        CROSS JOIN LATERAL (
            SELECT bar.close FROM {bar_table(wallet.interval)} AS bar
            WHERE bar.listing_id = listing.id AND {of_interval(wallet.interval)}
                AND bar.knowledge_time <= cut.at AND bar.open_time <= cut.at
            ORDER BY bar.open_time DESC LIMIT 1
        ) AS newest
        """,
        [times, ids],
    ):
        # What was held at that time is in the units of that time, the bar in those of now.
        prices[time][listing_id] = scaled(exact(close), ratio_since(restating, listing_id, time))
    return {
        time: Quotes(known, known_rates(connection, wallet.currency, currencies, at=time))
        for time, known in prices.items()
    }


def _write(connection: Connection, wallet: Wallet, account: SessionAccount, last: int) -> None:
    place: Row = {"wallet": wallet.name, "session_date": account.period.session_date}
    money = ("opening", "flows", "realised", "unrealised", "income", "fees", "revaluation", "closing")
    row: Row = {
        **place,
        "starts_at": account.period.starts_at,
        "valued_at": account.valued_at,
        **{name: plain(getattr(account, name)) for name in money},
        "time_weighted": account.time_weighted,
        "unvalued": account.unvalued,
        "last_sequence": last,
        "state": to_json(account.state),
    }
    insert(connection, "results.wallet_sessions", row)
    for share in account.attribution:
        insert(
            connection,
            "results.session_attribution",
            {
                **place,
                "listing_id": share.listing_id,
                "strategy": share.owner.strategy,
                "source": share.owner.source,
                "units": plain(share.units),
                "fills": share.fills,
                "traded": plain(share.traded),
                "fees": plain(share.fees),
                "pnl": plain(share.pnl),
            },
        )
