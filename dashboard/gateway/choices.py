"""The choices of the day: what each wallet may buy, version by version; and adding a version."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.db import connection as own
from django.db import transaction

from dashboard.gateway.reading import read

WALLETS = """
    SELECT w.wallet, w.mode, s.state, w.instruments,
        coalesce(w.limits ->> 'chosen_only' = 'true', false) AS takes_choice,
        w.limits - 'chosen_only' <> '{}'::jsonb AS has_limits
    FROM trading.wallets AS w INNER JOIN trading.wallet_states AS s ON s.wallet = w.wallet
    WHERE w.mode <> 'replay' AND w.state <> 'retired' ORDER BY w.wallet
"""
COLUMNS = "c.wallet, c.day, c.version, c.instruments, c.chosen_by, c.chosen_at, c.reason, c.request_key"
NEWEST = f"""
    SELECT DISTINCT ON (c.wallet) {COLUMNS} FROM trading.asset_choices AS c
    WHERE c.day = %(day)s AND c.chosen_at <= %(now)s
    ORDER BY c.wallet, c.version DESC
"""
BEFORE = f"""
    SELECT DISTINCT ON (c.wallet) {COLUMNS} FROM trading.asset_choices AS c WHERE c.day < %(day)s
    ORDER BY c.wallet, c.day DESC, c.version DESC
"""
OF_DAY = f"""
    SELECT {COLUMNS} FROM trading.asset_choices AS c WHERE c.day = %(day)s
    ORDER BY c.chosen_at DESC, c.wallet, c.version DESC LIMIT %(most)s
"""
OF_KEY = f"SELECT {COLUMNS} FROM trading.asset_choices AS c WHERE c.request_key = %(key)s"
ADD = """
    INSERT INTO trading.asset_choices
        (wallet, day, version, instruments, chosen_by, chosen_at, reason, request_key)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True)
class ChoosingWallet:
    """A wallet that trades: what it lists, whether its limits take notice of a choice, and have others."""

    wallet: str
    mode: str
    state: str
    instruments: list[str]
    takes_choice: bool
    has_limits: bool


@dataclass(frozen=True)
class Choice:
    """A version of what a wallet may buy on a day of UTC."""

    wallet: str
    day: date
    version: int
    instruments: list[str]
    chosen_by: str
    chosen_at: datetime
    reason: str
    request_key: UUID


@dataclass(frozen=True)
class NewVersion:
    """What is to follow version `base` of a wallet's choice; 0: the first of the day."""

    wallet: str
    base: int
    instruments: list[str]


def read_choosing_wallets() -> list[ChoosingWallet]:
    """The wallets that trade, by name. One query."""
    return read(ChoosingWallet, WALLETS)


def read_choices(day: date, *, now: datetime) -> dict[str, Choice]:
    """The version of each wallet for the day that the gate goes by: the newest that was made by now. One query."""
    return {row.wallet: row for row in read(Choice, NEWEST, day=day, now=now)}


def read_choices_before(day: date) -> dict[str, Choice]:
    """Of each wallet the newest version of the last day before. One query."""
    return {row.wallet: row for row in read(Choice, BEFORE, day=day)}


def read_versions(day: date, *, most: int) -> list[Choice]:
    """The versions for the day, newest first. One query."""
    return read(Choice, OF_DAY, day=day, most=most)


def read_saved(key: UUID) -> list[Choice]:
    """The versions that a form has made. One query."""
    return read(Choice, OF_KEY, key=key)


def add_versions(
    day: date, versions: Sequence[NewVersion], *, by: str, at: datetime, reason: str, key: UUID
) -> list[str]:
    """Add a version for each wallet, all or none; returns the wallets that have that version, or this key, already."""
    late = []
    with transaction.atomic():
        for new in versions:
            row = [new.wallet, day, new.base + 1, new.instruments, by, at, reason, key]
            with own.cursor() as cursor:
                cursor.execute(ADD, row)
                if not cursor.rowcount:
                    late.append(new.wallet)
        if late:
            transaction.set_rollback(True)
    return late
