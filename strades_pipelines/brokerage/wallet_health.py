"""What a person should look at in the wallets that trade: `strades doctor` says it."""

from datetime import datetime, timedelta

from strades_pipelines.brokerage.findings import open_findings
from strades_pipelines.brokerage.prices import Connection

PATIENCE = timedelta(minutes=5)  # a venue that answers settles an order within seconds
STOPPED = """
    SELECT s.wallet, s.state, s.reason, l.wallet IS NOT NULL AS says_what_to_do
    FROM trading.wallet_states AS s INNER JOIN trading.wallets AS w USING (wallet)
    LEFT JOIN trading.live_refusals AS l ON l.wallet = s.wallet AND l.reason = s.reason
    WHERE w.mode <> 'replay' AND s.state IN ('reducing', 'halted', 'retiring') ORDER BY s.wallet
"""
UNSETTLED = """
    SELECT o.wallet, o.intent_id, o.state, o.submitted_at, o.reason
    FROM trading.orders AS o INNER JOIN trading.wallets AS w USING (wallet)
    WHERE w.mode <> 'replay' AND o.state IN ('submitting', 'unknown') AND o.submitted_at < %s
    ORDER BY o.wallet, o.submitted_at
"""
UNFINISHED = """
    SELECT kind, scope, name, requested_at, request_key IS NOT NULL FROM trading.commands
    WHERE outcome IS NULL AND requested_at BETWEEN %s AND %s ORDER BY requested_at
"""


def wallet_problems(connection: Connection, *, now: datetime) -> list[str]:
    """Wallets that do not trade freely, findings that stand, orders in doubt at a venue, commands that did not end."""
    lines = [
        f"wallet {wallet} is {state}{f' ({reason})' if reason else ''}{_way_out(state, says_so)}"
        for wallet, state, reason, says_so in connection.execute(STOPPED)
    ]
    lines += [
        f"{finding.account}: finding {finding.finding_id} {finding.code}: {finding.detail}; {finding.advice}"
        for finding in open_findings(connection)
    ]
    lines += [
        f"wallet {wallet}: order {intent} is {state} since {at:%Y-%m-%d %H:%M} ({reason}); ask its venue"
        for wallet, intent, state, at, reason in connection.execute(UNSETTLED, [now - PATIENCE])
    ]
    lines += [
        f"{kind} of {f'{scope} {name}' if name else 'all wallets'} at {at:%Y-%m-%d %H:%M} did not end; "
        + ("`strades up` and `strades trade` carry it out" if is_asked else "give it again")
        for kind, scope, name, at, is_asked in connection.execute(UNFINISHED, [now - timedelta(days=1), now - PATIENCE])
    ]
    return lines


def _way_out(state: str, says_so: bool) -> str:
    return "" if state == "retiring" or says_so else "; look at it, then `strades resume`"
