"""Account statements in CSV, read strictly: what each row says, or one line for each fault. Pure.

`generic` is our own format. `alpaca` has the fields of Alpaca's account activities (Trading API v2 reference, "Account
Activities"; alpaca-py's `TradeActivity` and `NonTradeActivity`), `gate` those of Gate.io's `GET /spot/my_trades` (API
v4 reference, "Query personal trading records").
"""

import csv
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

from strades_pipelines.market.amounts import CURRENCY, amount_fault
from strades_pipelines.market.ledger_chain import FLOWS, INCOME

MOST_ROWS, MOST_FAULTS = 200_000, 20
# At most two digits of an exponent: `1e999999` is a number of a million digits.
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?")
# A date of Alpaca's is a day in New York.
NEW_YORK = ZoneInfo("America/New_York")
Cells = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StatementTrade:
    """A trade as a row says it; `fee` is positive where it was paid, `trade_id` the venue's, where it has one."""

    row: int
    at: datetime
    instrument: str
    side: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str | None
    trade_id: str | None


@dataclass(frozen=True, slots=True)
class StatementCash:
    """A change of cash as a row says it: a deposit, withdrawal, dividend, interest or charge; None for the wallet's."""

    row: int
    at: datetime
    kind: str
    currency: str | None
    amount: Decimal
    movement_id: str | None


class StatementError(ValueError):
    """A statement cannot be used; a line for each fault."""

    def __init__(self, faults: list[str]) -> None:
        more = len(faults) - MOST_FAULTS
        self.faults = faults[:MOST_FAULTS] + ([f"and {more} more faults"] if more > 0 else [])
        super().__init__("\n".join(self.faults))


class RowFault(ValueError):
    """What is wrong with a row: `column: expected ..., was ...`."""


def read_statement(body: bytes, format_name: str) -> list[StatementTrade | StatementCash]:
    """The rows of a statement, in its order. Rows count from 1, the header is row 1.

    Raises:
        StatementError: another format than that, or rows that cannot be read; all of them are named.
    """
    statement_format = FORMATS[format_name]
    # Bound before the `try`, as its handlers name the line.
    lines = csv.reader("")
    try:
        lines = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        header = next(lines, [])
        _check_header(header, statement_format)
        rows: list[StatementTrade | StatementCash] = []
        faults: list[str] = []
        for cells in filter(None, lines):
            if lines.line_num > MOST_ROWS + 1:
                raise StatementError([f"expected at most {MOST_ROWS} rows, was more; cut the file"])
            try:
                if len(cells) != len(header):
                    raise RowFault(f"expected {len(header)} cells, was {len(cells)}")
                named = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
                rows.append(statement_format.read_row(lines.line_num, named))
            except RowFault as fault:
                faults.append(f"row {lines.line_num}: {fault}")
    except UnicodeDecodeError as error:
        raise StatementError([f"expected UTF-8 text, was another at byte {error.start}"]) from None
    except csv.Error as error:
        raise StatementError([f"row {lines.line_num}: expected CSV, was {error}"]) from None
    if faults:
        raise StatementError(faults)
    return rows


@dataclass(frozen=True, slots=True)
class StatementFormat:
    """The columns of a format, those that have to be there, and how a row is read."""

    required: tuple[str, ...]
    optional: tuple[str, ...]
    read_row: Callable[[int, Cells], StatementTrade | StatementCash]


def _check_header(header: list[str], statement_format: StatementFormat) -> None:
    known = {*statement_format.required, *statement_format.optional}
    missing = [name for name in statement_format.required if name not in header]
    faults = [f"row 1: expected the column {name}, was missing" for name in missing]
    faults += [f"row 1: expected a column of this format, was {name[:40]!r}" for name in header if name not in known]
    faults += [f"row 1: expected the column {name} once" for name in sorted(known) if header.count(name) > 1]
    if faults:
        raise StatementError(faults)


def _generic(row: int, cells: Cells) -> StatementTrade | StatementCash:
    kind, at = cells.get("kind") or "trade", _time(cells, "time")
    identity = _text(cells, "id") if cells.get("id") else None
    if kind == "trade":
        _expect_empty(cells, "amount", "currency")
        fee = _number(cells, "fee") if cells.get("fee") else Decimal(0)
        return StatementTrade(
            row, at, _text(cells, "instrument"), _side(cells, {"buy": "buy", "sell": "sell"}),
            _positive(cells, "quantity"), _positive(cells, "price"), fee, _currency(cells, "fee_currency"), identity,
        )  # fmt: skip
    kinds = [known for known in (*FLOWS, *INCOME) if known != "transfer"]
    if kind not in kinds:
        raise RowFault(f"kind: expected trade, {', '.join(kinds)}, was {kind[:40]!r}")
    _expect_empty(cells, "side", "quantity", "price", "fee", "fee_currency")
    amount = _amount(cells, "amount")
    if (kind == "deposit" and amount < 0) or (kind == "withdrawal" and amount > 0):
        raise RowFault(f"amount: expected a {'positive' if amount < 0 else 'negative'} {kind}, was {amount}")
    return StatementCash(row, at, kind, _currency(cells, "currency"), amount, identity)


# What Alpaca calls them: dividends with what is withheld of them, interest, fees, cash in, out and journalled.
ALPACA_DIVIDENDS = ("DIV", "DIVCGL", "DIVCGS", "DIVNRA", "DIVROC", "DIVTXEX", "DIVWH", "CIL")
ALPACA_KINDS = dict.fromkeys(ALPACA_DIVIDENDS, "dividend") | {"INT": "interest", "FEE": "charge", "PTC": "charge"}
ALPACA_FLOWS = ("CSD", "CSW", "JNLC", "ACATC")


def _alpaca(row: int, cells: Cells) -> StatementTrade | StatementCash:
    kind, identity = _text(cells, "activity_type"), _text(cells, "id")
    if kind == "FILL":
        side = _side(cells, {"buy": "buy", "sell": "sell", "sell_short": "sell"})
        quantity, price = _positive(cells, "qty"), _positive(cells, "price")
        at, symbol = _time(cells, "transaction_time"), _text(cells, "symbol")
        return StatementTrade(row, at, symbol, side, quantity, price, Decimal(0), None, identity)
    if kind not in ALPACA_KINDS and kind not in ALPACA_FLOWS:
        known = ", ".join(("FILL", *ALPACA_KINDS, *ALPACA_FLOWS))
        raise RowFault(f"activity_type: expected one that moves cash ({known}), was {kind[:40]!r}")
    amount = _amount(cells, "net_amount")
    booked = ALPACA_KINDS.get(kind) or ("deposit" if amount > 0 else "withdrawal")
    return StatementCash(row, _day(cells, "date"), booked, "USD", amount, identity)


def _gate(row: int, cells: Cells) -> StatementTrade:
    seconds = _number(cells, "create_time_ms") / 1000 if cells.get("create_time_ms") else _number(cells, "create_time")
    try:
        at = datetime.fromtimestamp(float(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        raise RowFault(f"create_time: expected seconds since 1970, was {seconds}") from None
    side = _side(cells, {"buy": "buy", "sell": "sell"})
    fees = {name: _number(cells, name) for name in ("fee", "gt_fee", "point_fee") if cells.get(name)}
    paid = [name for name, fee in fees.items() if fee]
    if len(paid) > 1:
        raise RowFault(f"{paid[1]}: expected a fee of one kind, was {' and '.join(paid)}")
    name = paid[0] if paid else "fee"
    currency = _currency(cells, "fee_currency") if name == "fee" else {"gt_fee": "GT", "point_fee": "POINT"}[name]
    quantity, price = _positive(cells, "amount"), _positive(cells, "price")
    fee, pair = fees.get(name, Decimal(0)), _text(cells, "currency_pair")
    return StatementTrade(row, at, pair, side, quantity, price, fee, currency, _text(cells, "id"))


FORMATS = {
    "generic": StatementFormat(
        ("time", "instrument", "side", "quantity", "price"),
        ("fee", "fee_currency", "id", "kind", "amount", "currency"),
        _generic,
    ),
    "alpaca": StatementFormat(
        ("id", "activity_type"),
        (
            "transaction_time", "type", "price", "qty", "side", "symbol", "leaves_qty", "order_id", "cum_qty",
            "order_status", "date", "net_amount", "per_share_amount", "description", "status", "account_id",
        ),
        _alpaca,
    ),
    "gate": StatementFormat(
        ("id", "create_time", "currency_pair", "side", "amount", "price", "fee", "fee_currency"),
        ("create_time_ms", "role", "order_id", "point_fee", "gt_fee", "amend_text", "text", "sequence_id"),
        _gate,
    ),
}  # fmt: skip


def _text(cells: Cells, name: str) -> str:
    text = cells.get(name, "")
    if not text or len(text) > 100 or not text.isprintable():
        raise RowFault(f"{name}: expected a text of 1 to 100 characters, was {text[:40]!r}")
    return text


def _expect_empty(cells: Cells, *names: str) -> None:
    for name in names:
        if cells.get(name):
            raise RowFault(f"{name}: expected nothing in a row of this kind, was {cells[name][:40]!r}")


def _number(cells: Cells, name: str) -> Decimal:
    text = cells.get(name, "")
    if not NUMBER.fullmatch(text) or len(text) > 60:
        raise RowFault(f"{name}: expected a number, was {text[:40]!r}")
    number = Decimal(text)
    fault = amount_fault(number) if number else None
    if fault is not None:
        raise RowFault(f"{name}: {fault}")
    return number


def _positive(cells: Cells, name: str) -> Decimal:
    number = _number(cells, name)
    if number <= 0:
        raise RowFault(f"{name}: expected a positive number, was {number}")
    return number


def _amount(cells: Cells, name: str) -> Decimal:
    number = _number(cells, name)
    if number == 0:
        raise RowFault(f"{name}: expected an amount other than 0, was 0")
    return number


def _currency(cells: Cells, name: str) -> str | None:
    code = cells.get(name, "")
    if code and not CURRENCY.fullmatch(code):
        raise RowFault(f"{name}: expected 2 to 12 capital letters or digits, was {code[:40]!r}")
    return code or None


def _side(cells: Cells, sides: Mapping[str, str]) -> str:
    side = cells.get("side", "")
    if side not in sides:
        raise RowFault(f"side: expected {' or '.join(sides)}, was {side[:40]!r}")
    return sides[side]


def _time(cells: Cells, name: str) -> datetime:
    text = cells.get(name, "")
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise ValueError("it has no offset")
        return at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise RowFault(f"{name}: expected ISO 8601 with an offset, was {text[:40]!r} ({error})"[:200]) from None


def _day(cells: Cells, name: str) -> datetime:
    text = cells.get(name, "")
    try:
        return datetime.combine(date.fromisoformat(text), time(), NEW_YORK).astimezone(UTC)
    except (ValueError, OverflowError):
        raise RowFault(f"{name}: expected a day as YYYY-MM-DD, was {text[:40]!r}") from None
