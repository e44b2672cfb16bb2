"""Sleeves: the strategies that share one wallet, each with a part of its capital and a position of its own.

Cash, the risk gate, the send lock and the ledger are the wallet's. What a sleeve decides has its name as the strategy,
so decision and intent ids, fills and profit are its own. What is nobody's is `unattributed`: orders by hand, statements
and what reconciliation adopted.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.trading_rows import Row, insert
from strades_pipelines.market.rounding import EXACT

SEVERAL = "several"  # trading.wallets.strategy of a wallet with sleeves
UNATTRIBUTED = "unattributed"
# From lenient to strict: the state that counts is the `max` by this order.
STRICTNESS = ("active", "reducing", "halted", "retiring", "retired", "gone")
# A sleeve of such a name would own what is nobody's, a person's, or was done outside.
RESERVED_NAMES = frozenset({UNATTRIBUTED, "person", "external"})
SLEEVES = """
    SELECT s.sleeve, s.strategy, s.parameters, s.instruments, s.capital_percent, s.opened_at, state.state, state.reason
    FROM trading.sleeves AS s INNER JOIN trading.sleeve_states AS state USING (wallet, sleeve)
    WHERE s.wallet = %s ORDER BY s.opened_at, s.sleeve
"""
# Whose a fill is: of the sleeve that its order was decided for, or nobody's.
OWNERS = f"""
    SELECT f.fill_id, coalesce(s.sleeve, '{UNATTRIBUTED}')
    FROM trading.fills AS f
    INNER JOIN trading.intents AS i USING (intent_id)
    INNER JOIN signals.decisions AS d USING (decision_id)
    LEFT JOIN trading.sleeves AS s ON f.wallet = s.wallet AND d.strategy = s.sleeve
    WHERE f.wallet = %s
"""
OWN_STATE = "SELECT NULL AS sleeve, state FROM trading.wallet_states WHERE wallet = %(wallet)s"
STATES = f"{OWN_STATE} UNION ALL SELECT sleeve, state FROM trading.sleeve_states WHERE wallet = %(wallet)s"


@dataclass(frozen=True)
class Sleeve:
    """A strategy of a wallet with several.

    Args:
        capital_percent: of the wallet's opening cash, and of what is paid in and out.
        opened_at: UTC; what it would have decided earlier is never executed.
        state: the strictest of the wallet's, of halts of its strategy or name, and `retired` where it is not listed.
    """

    name: str
    strategy: str
    parameters: dict[str, Any]
    instruments: Sequence[str]
    capital_percent: Decimal
    opened_at: datetime
    state: str
    state_reason: str | None

    def part_of(self, amount: Decimal) -> Decimal:
        """Its part of an amount of the wallet's money."""
        return EXACT.divide(EXACT.multiply(amount, self.capital_percent), Decimal(100))


@dataclass(frozen=True)
class States:
    """The states that count in a wallet at one moment: its own, and that of each sleeve, which is as strict or more."""

    wallet: str
    sleeves: Mapping[str, str]

    def of(self, strategy: str, *, is_by_person: bool) -> str:
        """The state that an order or decision goes by: its sleeve's, or the wallet's where it is of none.

        What a retired sleeve still holds a person may sell.
        """
        own = self.sleeves.get(strategy, self.wallet)
        if is_by_person and own == "retired":
            own = "reducing"
        return max(own, self.wallet, key=STRICTNESS.index)


def read_sleeves(connection: Connection, wallet: str) -> tuple[Sleeve, ...]:
    """The sleeves of a wallet, retired ones too, in the order in which they were opened."""
    return tuple(Sleeve(*row) for row in connection.execute(SLEEVES, [wallet]))


def sleeves_named(sleeves: Sequence[Sleeve], name: str) -> frozenset[str]:
    """The sleeves that a halt of the strategy `name` is about: of that strategy, or of that name themselves."""
    return frozenset(sleeve.name for sleeve in sleeves if name in (sleeve.strategy, sleeve.name))


def fill_owners(connection: Connection, wallet: str) -> dict[str, str]:
    """Whose each fill of a wallet is, by its id; empty for a wallet without sleeves, whose fills are all its own."""
    is_shared = connection.execute("SELECT FROM trading.sleeves WHERE wallet = %s LIMIT 1", [wallet]).fetchone()
    return {} if is_shared is None else dict(connection.execute(OWNERS, [wallet]).fetchall())


def current_states(connection: Connection, wallet: str, *, is_shared: bool) -> States:
    """The states that count for a wallet and its sleeves now; `gone` for a wallet that is not there."""
    return read_states(ask_states(connection, wallet, is_shared=is_shared))


def ask_states(connection: Connection, wallet: str, *, is_shared: bool) -> Iterable[tuple[str | None, str]]:
    """Ask for what `read_states` reads: within a pipeline that costs no wait of its own.

    Args:
        is_shared: whether the wallet has sleeves, whose states take as long again.
    """
    return connection.execute(STATES if is_shared else OWN_STATE, {"wallet": wallet})


def read_states(rows: Iterable[tuple[str | None, str]]) -> States:
    """The states that `ask_states` asked for."""
    sleeves = dict(rows)
    return States(sleeves.pop(None, "gone"), {str(name): state for name, state in sleeves.items()})


def store_sleeves(
    connection: Connection, wallet: str, rows: Sequence[Row], *, listed: Collection[str], now: datetime
) -> None:
    """Open the sleeves that are new, retire those that are not among `listed`. Commits nothing.

    A sleeve that is listed again goes on. Its code may be mended and its capital changed; nothing else ever changes.

    Args:
        rows: of the sleeves whose strategy can be made.
        listed: the names of all in the file.
    """
    for row in rows:
        insert(connection, "trading.sleeves", row)
        connection.execute(
            """
            UPDATE trading.sleeves SET code_hash = %s, capital_percent = %s, retired_at = NULL
            WHERE wallet = %s AND sleeve = %s
            """,
            [row["code_hash"], row["capital_percent"], wallet, row["sleeve"]],
        )
    retire_sleeves(connection, wallet, listed, now=now)


def retire_sleeves(connection: Connection, wallet: str, listed: Collection[str], *, now: datetime) -> None:
    """Retire the sleeves of a wallet that are not listed. Commits nothing.

    They decide nothing more and their orders are cancelled with the next pass. What they hold stays theirs in the
    books, since nothing is sold because a file changed; a flatten closes it.
    """
    connection.execute(
        "UPDATE trading.sleeves SET retired_at = %s WHERE wallet = %s AND sleeve <> ALL(%s) AND retired_at IS NULL",
        [now, wallet, list(listed)],
    )
