"""Live wallets: who asked for them and who approved, and asking, approving, revoking. The rule is the database's."""

import json
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

import psycopg
from django.db import IntegrityError, transaction
from django.db import connection as own

from dashboard.gateway.reading import read
from strades_pipelines.database.crash import crash_point

WALLETS = """
    SELECT w.wallet, w.broker, trading.live_terms(w) AS limits,
        trading.strategies_of(w.wallet) AS strategies, w.code_hash, s.state, s.reason, l.wallet IS NULL AS may_send,
        a.request_id, coalesce(a.limits, '{}') AS approved_limits,
        coalesce(a.strategies, '{}') AS approved_strategies, a.code_hash AS approved_code,
        a.requested_by, a.approved_by, a.approved_at,
        CASE WHEN a.revoked_at IS NULL AND a.begins_at > now() THEN a.begins_at END AS begins_at,
        a.revoked_by, a.revoked_at, p.day AS parity_day, p.decisions, p.decisions_agreeing, p.fills, p.fills_agreeing
    FROM trading.wallets AS w
    INNER JOIN trading.wallet_states AS s ON s.wallet = w.wallet
    LEFT JOIN trading.live_refusals AS l ON l.wallet = w.wallet
    LEFT JOIN LATERAL (
        SELECT r.request_id, r.limits, r.strategies, r.code_hash, r.requested_by,
            a.approved_by, a.approved_at, a.approved_at + interval '60 seconds' AS begins_at, v.revoked_by, v.revoked_at
        FROM trading.live_requests AS r INNER JOIN trading.live_approvals AS a ON a.request_id = r.request_id
        LEFT JOIN trading.live_revocations AS v ON v.request_id = r.request_id
        WHERE r.wallet = w.wallet ORDER BY a.approved_at DESC, r.request_id DESC LIMIT 1
    ) AS a ON true
    LEFT JOIN LATERAL (
        SELECT d.* FROM results.daily_parity AS d WHERE d.wallet = w.wallet ORDER BY d.day DESC LIMIT 1
    ) AS p ON true
    WHERE w.mode = 'live' AND w.state <> 'retired' ORDER BY w.wallet LIMIT 100
"""
WAITING = """
    SELECT r.request_id, r.wallet, r.limits, r.strategies, r.code_hash, r.reason, r.requested_by, r.requested_at,
        r.expires_at, r.requested_at + interval '60 seconds' AS alone_from
    FROM trading.live_requests AS r
    WHERE r.expires_at > clock_timestamp()
        AND NOT EXISTS (SELECT FROM trading.live_approvals AS a WHERE a.request_id = r.request_id)
        AND NOT EXISTS (SELECT FROM trading.live_revocations AS v WHERE v.request_id = r.request_id)
        AND NOT EXISTS (SELECT FROM trading.live_changes AS c WHERE c.request_id = r.request_id)
    ORDER BY r.request_id DESC LIMIT 100
"""
SHOWN = """
    SELECT trading.live_terms(w)::text, trading.strategies_of(w.wallet)::text, w.code_hash
    FROM trading.wallets AS w WHERE w.wallet = %(wallet)s
"""
# Only with the limits, strategies and code that the page showed.
REQUEST = """
    INSERT INTO trading.live_requests (request_key, wallet, limits, strategies, code_hash, reason, requested_by)
    SELECT %(key)s, w.wallet, trading.live_terms(w), trading.strategies_of(w.wallet), w.code_hash, %(reason)s, %(by)s
    FROM trading.wallets AS w
    WHERE w.wallet = %(wallet)s AND w.mode = 'live' AND w.state <> 'retired'
        AND trading.live_terms(w) = %(limits)s::jsonb
        AND trading.strategies_of(w.wallet) = %(strategies)s::jsonb AND w.code_hash = %(code)s
    ON CONFLICT (request_key) DO NOTHING
"""
IS_ASKED = "SELECT FROM trading.live_requests WHERE request_key = %(key)s AND wallet = %(wallet)s"
# Two forms of one person at once are counted one after the other.
IN_LINE = "SELECT pg_advisory_xact_lock(hashtext('strades.live_request:' || %(by)s))"
LAST_HOUR = """
    SELECT count(*) FROM trading.live_requests
    WHERE requested_by = %(by)s AND requested_at > clock_timestamp() - interval '1 hour'
"""
MOST_IN_AN_HOUR = 3
APPROVE = """
    INSERT INTO trading.live_approvals (request_id, requested_by, approved_by, is_one_person)
    SELECT r.request_id, r.requested_by, %(by)s, r.requested_by = %(by)s
    FROM trading.live_requests AS r WHERE r.request_id = %(request)s
    ON CONFLICT (request_id) DO NOTHING
"""
# Every request of the wallet: the newest approval decides, which a page opened earlier does not show, and with
# a request that still waits one click would revive the wallet.
REVOKE = """
    INSERT INTO trading.live_revocations (request_id, revoked_by)
    SELECT r.request_id, %s FROM trading.live_requests AS r
    WHERE r.wallet = (SELECT q.wallet FROM trading.live_requests AS q WHERE q.request_id = %s)
    ON CONFLICT (request_id) DO NOTHING
"""
# Those of a wallet that wait; what was approved goes on.
REVOKE_WAITING = """
    INSERT INTO trading.live_revocations (request_id, revoked_by)
    SELECT r.request_id, %s FROM trading.live_requests AS r
    WHERE r.wallet = %s AND NOT EXISTS (SELECT FROM trading.live_approvals AS a WHERE a.request_id = r.request_id)
    ON CONFLICT (request_id) DO NOTHING
"""


@dataclass(frozen=True)
class LiveWallet:
    """A live wallet with its newest approval and the newest day of parity; what there is not is None.

    Strategies are those of a wallet of several: the percent of its capital by name. `begins_at` is when it will trade,
    in the minute after an approval.
    """

    wallet: str
    broker: str
    limits: dict[str, Any]
    strategies: dict[str, str]
    code_hash: str
    state: str
    reason: str | None
    may_send: bool
    request_id: int | None
    approved_limits: dict[str, Any]
    approved_strategies: dict[str, str]
    approved_code: str | None
    requested_by: str | None
    approved_by: str | None
    approved_at: datetime | None
    begins_at: datetime | None
    revoked_by: str | None
    revoked_at: datetime | None
    parity_day: date | None
    decisions: int | None
    decisions_agreeing: int | None
    fills: int | None
    fills_agreeing: int | None

    @property
    def has_limits(self) -> bool:
        """Whether a limit of the risk gate is among its terms."""
        return has_risk_limits(self.limits)

    def differences(self, request: "LiveRequest") -> list[tuple[str, Any, Any]]:
        """Each limit and strategy that a request changes against what was approved last: name, then, now.

        A limit that there is not is None; a strategy that there is not has 0 % of the capital.
        """
        limits = {} if self.revoked_at else self.approved_limits
        strategies = {} if self.revoked_at else self.approved_strategies
        rows = [
            *((name, limits.get(name), request.limits.get(name)) for name in sorted(limits.keys() | request.limits)),
            *(
                (f"strategy {name}", f"{strategies.get(name, 0)} %", f"{request.strategies.get(name, 0)} %")
                for name in sorted(strategies.keys() | request.strategies)
            ),
        ]
        return [row for row in rows if row[1] != row[2]]


@dataclass(frozen=True)
class LiveRequest:
    """A request that waits for its approval; from `alone_from` on one person alone may give it, where that is set."""

    request_id: int
    wallet: str
    limits: dict[str, Any]
    strategies: dict[str, str]
    code_hash: str
    reason: str
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    alone_from: datetime

    @property
    def has_limits(self) -> bool:
        """Whether a limit of the risk gate is among its terms."""
        return has_risk_limits(self.limits)


def has_risk_limits(terms: dict[str, Any]) -> bool:
    """Whether the terms of a wallet (`trading.live_terms`) name more than how old a decision and a silence may be."""
    return bool(terms.keys() - {"max_decision_age_minutes", "dead_man_seconds"})


def read_live_wallets() -> list[LiveWallet]:
    """The live wallets, by name."""
    return [
        replace(found, **_parse(found, "limits", "strategies", "approved_limits", "approved_strategies"))
        for found in read(LiveWallet, WALLETS)
    ]


def read_live_requests() -> list[LiveRequest]:
    """The requests that wait, newest first."""
    return [replace(found, **_parse(found, "limits", "strategies")) for found in read(LiveRequest, WAITING)]


def _parse(found: LiveWallet | LiveRequest, *names: str) -> dict[str, Any]:
    """The columns of JSON, which Django leaves as text."""
    return {name: json.loads(str(getattr(found, name))) for name in names}


class TooManyRequests(Exception):
    """Somebody has asked for live trading as often as one may in an hour."""


def request_live(
    wallet: str, limits: dict[str, Any], strategies: dict[str, Any], code: str, *, reason: str, by: str, key: UUID
) -> bool:
    """Ask for a live wallet; the same key again is the same request. False where it is not what the page showed.

    Raises:
        TooManyRequests: it would be the fourth of this person in an hour, of whatever wallets.
    """
    values = {"wallet": wallet, "reason": reason, "by": by, "key": key}
    with transaction.atomic(), own.cursor() as cursor:
        cursor.execute(IN_LINE, values)
        cursor.execute(IS_ASKED, values)
        if cursor.fetchone() is not None:
            return True
        cursor.execute(LAST_HOUR, values)
        if cursor.fetchone()[0] >= MOST_IN_AN_HOUR:
            raise TooManyRequests
        cursor.execute(SHOWN, values)
        # Compared here: what a form says is no JSON that PostgreSQL has to take, such as NaN or a lone surrogate.
        now = cursor.fetchone()
        if now is None or (json.loads(now[0]), json.loads(now[1]), now[2]) != (limits, strategies, code):
            return False
        cursor.execute(REQUEST, values | dict(zip(("limits", "strategies", "code"), now, strict=True)))
        is_asked = bool(cursor.rowcount)
        crash_point("dashboard.live_request_written")
    crash_point("dashboard.live_request_committed")
    return is_asked


def approve_live(request_id: int, *, by: str) -> str | None:
    """Approve a request, once. Returns why that is refused, in one line of the database's."""
    try:
        with transaction.atomic(), own.cursor() as cursor:
            cursor.execute(APPROVE, {"by": by, "request": request_id})
            crash_point("dashboard.live_approval_written")
        crash_point("dashboard.live_approval_committed")
    except IntegrityError as error:
        cause = error.__cause__
        return (cause.diag.message_primary or "") if isinstance(cause, psycopg.Error) else ""
    return None


def revoke_live(request_id: int, *, by: str) -> bool:
    """Revoke every request and approval of the wallet of a request. False when no request has that id."""
    with transaction.atomic(), own.cursor() as cursor:
        cursor.execute(REVOKE, [by, request_id])
        cursor.execute("SELECT 1 FROM trading.live_requests WHERE request_id = %s", [request_id])
        is_there = cursor.fetchone() is not None
        crash_point("dashboard.live_revocation_written")
    crash_point("dashboard.live_revocation_committed")
    return is_there


def revoke_waiting(wallet: str, *, by: str) -> None:
    """Take back the requests of a wallet that nobody has approved yet. In the transaction of the caller."""
    with own.cursor() as cursor:
        cursor.execute(REVOKE_WAITING, [by, wallet])


def may_approve(wallet: str, *, by: str) -> bool:
    """Whether an account may approve a wallet, by what its owner demands."""
    with own.cursor() as cursor:
        cursor.execute("SELECT trading.may_approve(%s, %s)", [wallet, by])
        return bool(cursor.fetchone()[0])
