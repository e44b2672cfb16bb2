"""What a wallet's sessions come to: its returns over a span of them, and what each owner of its fills made."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from psycopg.rows import dict_row

from strades_pipelines.brokerage.exchange_rates import known_rates
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.market.account_returns import link, money_weighted
from strades_pipelines.market.ledger_chain import FLOWS

SESSIONS = """
    SELECT session_date, starts_at, valued_at, opening, flows, realised, unrealised, income, fees, revaluation, closing,
        time_weighted, unvalued
    FROM results.wallet_sessions
    WHERE wallet = %(wallet)s AND session_date >= coalesce(%(start)s::date, '-infinity')
        AND session_date < coalesce(%(end)s::date, 'infinity')
    ORDER BY session_date
"""
OWNERS = """
    SELECT strategy, source, sum(fills)::integer AS fills, sum(traded) AS traded, sum(fees) AS fees, sum(pnl) AS pnl
    FROM results.session_attribution
    WHERE wallet = %(wallet)s AND session_date >= coalesce(%(start)s::date, '-infinity')
        AND session_date < coalesce(%(end)s::date, 'infinity')
    GROUP BY strategy, source ORDER BY strategy, source
"""
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Performance:
    """A span of a wallet's sessions; money in its currency, times UTC.

    Args:
        sessions: rows of results.wallet_sessions, oldest first.
        owners: what the fills of each strategy, of people and of statements made in them.
        time_weighted: the return over the span; None where a session has none.
        money_weighted: the yearly rate over the span; None where no rate or several fit (`market/account_returns.py`).
        unvalued: currencies without a known rate, which no amount has in it.
    """

    wallet: str
    currency: str
    sessions: Rows
    owners: Rows
    time_weighted: float | None
    money_weighted: float | None
    unvalued: list[str]


def read_performance(connection: Connection, wallet: Wallet, start: date | None, end: date | None) -> Performance:
    """The sessions in [start, end) and what they come to; None: from the first, to the last."""
    span = {"wallet": wallet.name, "start": start, "end": end}
    with connection.cursor(row_factory=dict_row) as cursor:
        sessions = cursor.execute(SESSIONS, span).fetchall()
        owners = cursor.execute(OWNERS, span).fetchall()
    unvalued = {currency for session in sessions for currency in session["unvalued"]}
    rate = None
    if sessions:
        first, last = sessions[0], sessions[-1]
        known, missing = external_flows(connection, wallet)
        flows = [(at, amount) for at, amount in known if first["starts_at"] <= at <= last["valued_at"]]
        rate = money_weighted([(first["starts_at"], first["opening"]), *flows], last["closing"], last["valued_at"])
        unvalued.update(missing)
    return Performance(
        wallet=wallet.name,
        currency=wallet.currency,
        sessions=sessions,
        owners=owners,
        time_weighted=link([session["time_weighted"] for session in sessions]),
        money_weighted=rate,
        unvalued=sorted(unvalued),
    )


def external_flows(connection: Connection, wallet: Wallet) -> tuple[list[tuple[datetime, Decimal]], list[str]]:
    """What flowed into a wallet and out of it since its opening, in its currency, and the currencies without a rate."""
    rows = connection.execute(
        """
        SELECT occurred_at, currency, amount FROM trading.movements WHERE wallet = %s AND kind = ANY(%s)
        ORDER BY occurred_at, movement_id
        """,
        [wallet.name, list(FLOWS)],
    ).fetchall()
    flows = [(wallet.opened_at, wallet.opening_cash)]
    missing: set[str] = set()
    for at, currency, amount in rows:
        rates: Mapping[str, Decimal] = known_rates(connection, wallet.currency, [currency], at=at)
        if currency in rates:
            flows.append((at, amount * rates[currency]))
        else:
            missing.add(currency)
    return flows, sorted(missing)
