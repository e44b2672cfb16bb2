"""Findings: where what a venue says of an account and our books differ, kept in trading.findings until settled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from psycopg.rows import class_row

from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.trading_rows import insert, to_json
from strades_pipelines.market.ids import base32_id
from strades_pipelines.market.ledger_chain import plain
from strades_pipelines.system.secret_values import masked

ID_LENGTH = 8  # 40 bits, and short enough to type


class CannotBeSettledError(ValueError):
    """A finding cannot be adopted or ignored so: in one line, why."""


class Code(StrEnum):
    """What kind of difference."""

    EXTERNAL_ORDER = "external_order"  # open at the venue, and none of ours
    EXTERNAL_FILL = "external_fill"  # of an order that is none of ours, or that is over and cannot take it
    ORDER_STILL_OPEN = "order_still_open"  # open at the venue, over in our books
    ORDER_MISSING = "order_missing"  # the venue had accepted it, and does not know it any more
    FILL_UNBOOKED = "fill_unbooked"  # of an order of ours, whose state is in doubt
    FILL_DIFFERS = "fill_differs"  # booked with another quantity or price
    FILL_CONTRADICTS = "fill_contradicts"  # told of an order of ours that it cannot be of; booked nowhere
    FILL_MISSING = "fill_missing"  # booked, and the venue does not show it
    HOLDING_DIFFERS = "holding_differs"
    CASH_SHORT = "cash_short"  # the account holds less than its wallets count on
    LEDGER_BROKEN = "ledger_broken"  # our own books do not add up
    SPLIT_WITHDRAWN = "split_withdrawn"  # booked, and no source states it any more


# What happened at one time stays a finding until a person has settled it; a state that is over is gone by itself.
EVENTS = (Code.EXTERNAL_FILL, Code.FILL_DIFFERS, Code.FILL_MISSING)
# Of these an amount is the matter: the same amount once more is another finding.
AMOUNTS = (Code.HOLDING_DIFFERS, Code.CASH_SHORT)
ACCOUNT_WIDE = (Code.EXTERNAL_ORDER, *AMOUNTS)
ADOPTABLE = (Code.EXTERNAL_ORDER, Code.EXTERNAL_FILL, Code.HOLDING_DIFFERS, Code.SPLIT_WITHDRAWN)
_SETTLE = "`strades adopt {id} --wallet W --reason ...`, or `strades ignore {id} --reason ...`"
_LOOK = "compare with the venue's own statement, then `strades ignore {id} --reason ...`"
ADVICE: Mapping[Code, str] = {
    Code.EXTERNAL_ORDER: f"cancel it at the venue, {_SETTLE}",
    Code.EXTERNAL_FILL: _SETTLE,
    Code.HOLDING_DIFFERS: _SETTLE,
    Code.ORDER_STILL_OPEN: "cancel it at the venue",
    Code.ORDER_MISSING: f"ask the venue what became of it; {_LOOK}",
    Code.FILL_UNBOOKED: "see the events of its order; the next pass asks the venue again",
    Code.FILL_DIFFERS: _LOOK,
    Code.FILL_CONTRADICTS: f"see what the venue said in the events of its order; {_LOOK}",
    Code.FILL_MISSING: _LOOK,
    Code.CASH_SHORT: "deposit what lacks at the venue, or `strades ignore {id} --reason ...`",
    Code.SPLIT_WITHDRAWN: f"restore the record, or take the split out of the books: {_SETTLE}",
    Code.LEDGER_BROKEN: "`strades ledger verify`; restore the books from a backup",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference.

    Args:
        account: at which venue, and whose.
        wallets: whose books are in doubt.
        reference: the venue's id of the fill or order, our id of one, the symbol, the currency, the fault.
        detail: in one line, what is where and what was expected.
        occurred_at: by the venue's clock where it says one, UTC.
        listing_id: None where no wallet of the account trades the symbol.
        quantity, amount: signed units and cash that the venue has beyond our books.
        price: of one unit, in the wallet's currency.
        evidence: what the venue says of the order or fill, as JSON has it.
        ordinal: of a holding or of cash, how many findings about it were settled before.
    """

    account: str
    wallets: tuple[str, ...]
    code: Code
    reference: str
    detail: str
    occurred_at: datetime
    symbol: str | None = None
    listing_id: int | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    amount: Decimal | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    ordinal: int = 0

    @property
    def finding_id(self) -> str:
        """A function of what it is about, so that what is found again is the same finding."""
        amount = self.quantity if self.code is Code.HOLDING_DIFFERS else self.amount
        # Of an instrument that nobody trades here the amount does not matter.
        is_counted = self.code in AMOUNTS and not (self.code is Code.HOLDING_DIFFERS and self.listing_id is None)
        parts = (plain(amount), self.ordinal) if is_counted and amount is not None else ()
        return base32_id(self.account, self.code.value, self.reference, *parts)[:ID_LENGTH]


@dataclass(frozen=True, slots=True)
class StoredFinding:
    """A row of trading.findings."""

    finding_id: str
    account: str
    wallets: list[str]
    code: str
    reference: str
    symbol: str | None
    listing_id: int | None
    quantity: Decimal | None
    price: Decimal | None
    amount: Decimal | None
    occurred_at: datetime
    detail: str
    evidence: dict[str, Any]
    found_at: datetime
    state: str
    settled_at: datetime | None
    command_id: int | None

    @property
    def advice(self) -> str:
        """What to do about it."""
        return ADVICE[Code(self.code)].format(id=self.finding_id)


def open_findings(
    connection: Connection, *, account: str | None = None, wallet: str | None = None
) -> list[StoredFinding]:
    """The findings that stand: all, those of an account, or those that concern a wallet; oldest first."""
    with connection.cursor(row_factory=class_row(StoredFinding)) as cursor:
        return cursor.execute(
            """
            SELECT * FROM trading.findings
            WHERE state = 'open' AND (%(account)s::text IS NULL OR account = %(account)s)
                AND (%(wallet)s::text IS NULL OR %(wallet)s = ANY(wallets))
            ORDER BY found_at, code, finding_id
            """,
            {"account": account, "wallet": wallet},
        ).fetchall()


def find_finding(connection: Connection, finding_id: str) -> StoredFinding:
    """The finding of that id, locked until the transaction ends; small letters are as good.

    Raises:
        LookupError: when there is none.
    """
    with connection.cursor(row_factory=class_row(StoredFinding)) as cursor:
        # Locked: of two people who decide on one finding the second sees what the first has decided.
        found = cursor.execute(
            "SELECT * FROM trading.findings WHERE finding_id = %s FOR UPDATE", [finding_id.upper()]
        ).fetchone()
    if found is None:
        raise LookupError(f"finding: expected an id that `strades reconcile` shows, was {finding_id!r}")
    return found


def store_findings(connection: Connection, account: str, findings: Sequence[Finding], *, now: datetime) -> None:
    """Keep what was found, reopen what is back, and close what is gone by itself. Commits nothing.

    Fills of an external order that a person has ignored are ignored with it.

    Args:
        findings: all that an account's comparison has found now.
    """
    ids = [finding.finding_id for finding in findings]
    ignored = dict(
        connection.execute(
            "SELECT reference, command_id FROM trading.findings WHERE account = %s AND code = %s AND state = 'ignored'",
            [account, Code.EXTERNAL_ORDER.value],
        ).fetchall()
    )
    for finding in findings:
        of_order = finding.evidence.get("venue_order_id")
        command_id = ignored.get(of_order) if finding.code is Code.EXTERNAL_FILL else None
        insert(connection, "trading.findings", _row(finding, command_id, now))
    # Only what had gone by itself comes back: what a person settled stays settled.
    connection.execute(
        "UPDATE trading.findings SET state = 'open', settled_at = NULL WHERE finding_id = ANY(%s) AND state = 'gone'",
        [ids],
    )
    connection.execute(
        """
        UPDATE trading.findings SET state = 'gone', settled_at = %s
        WHERE account = %s AND state = 'open' AND code <> ALL(%s) AND finding_id <> ALL(%s)
        """,
        [now, account, [code.value for code in EVENTS], ids],
    )


def halt_for_finding(connection: Connection, finding: Finding, *, now: datetime) -> None:
    """Keep one finding and halt its wallets; one that a person has settled halts nothing more. Commits nothing."""
    insert(connection, "trading.findings", _row(finding, None, now))
    connection.execute(
        "UPDATE trading.findings SET state = 'open', settled_at = NULL WHERE finding_id = %s AND state = 'gone'",
        [finding.finding_id],
    )
    named = f"{finding.code} {finding.symbol or finding.reference} ({finding.finding_id})"
    connection.execute(
        """
        UPDATE trading.wallets SET state = 'halted', state_reason = %s
        WHERE wallet = ANY(%s) AND state IN ('active', 'reducing')
            AND EXISTS (SELECT FROM trading.findings AS f WHERE f.finding_id = %s AND f.state = 'open')
        """,
        [f"{named}; see `strades reconcile`", list(finding.wallets), finding.finding_id],
    )


def settle_finding(connection: Connection, finding_id: str, state: str, command_id: int, *, now: datetime) -> None:
    """Have a finding adopted or ignored by a command. Commits nothing."""
    connection.execute(
        "UPDATE trading.findings SET state = %s, settled_at = %s, command_id = %s WHERE finding_id = %s",
        [state, now, command_id, finding_id],
    )


def _row(finding: Finding, ignored_by: int | None, now: datetime) -> dict[str, Any]:
    return {
        "finding_id": finding.finding_id,
        "account": finding.account,
        "wallets": list(finding.wallets),
        "code": finding.code.value,
        "reference": finding.reference,
        "symbol": finding.symbol,
        "listing_id": finding.listing_id,
        "quantity": finding.quantity,
        "price": finding.price,
        "amount": finding.amount,
        "occurred_at": finding.occurred_at,
        # A venue may repeat our keys in what it says.
        "detail": masked(finding.detail),
        "evidence": masked(to_json(finding.evidence)),
        "found_at": now,
        "state": "open" if ignored_by is None else "ignored",
        "settled_at": None if ignored_by is None else now,
        "command_id": ignored_by,
    }
