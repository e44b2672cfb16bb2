"""Wallets in the database: opened once, their setting never changed; what they hold and what is under way."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from strades_pipelines.brokerage.booked_splits import SPLITS, splits_of_rows
from strades_pipelines.brokerage.prices import LISTINGS, Connection, find_listings, listings_named
from strades_pipelines.brokerage.sleeves import (
    SEVERAL,
    UNATTRIBUTED,
    Sleeve,
    States,
    fill_owners,
    read_sleeves,
    store_sleeves,
)
from strades_pipelines.brokerage.trading_code import trading_code
from strades_pipelines.brokerage.trading_rows import cash_row, insert, line_row
from strades_pipelines.brokerage.wallet_rows import combined_hash, sleeve_row, wallet_row
from strades_pipelines.brokerage.wallets import WalletsError, WalletTemplate
from strades_pipelines.database.crash import crash_point
from strades_pipelines.market.bars_and_fills import Fill
from strades_pipelines.market.books import ZERO
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.ledger_chain import chain, deposit
from strades_pipelines.market.order_checks import Rules
from strades_pipelines.market.owners import owned_positions
from strades_pipelines.market.split_arithmetic import Split, in_current_shares, paid_out
from strades_pipelines.market.wallet_limits import WalletLimits, parse_limits
from strades_pipelines.strategy.registry import create
from strades_pipelines.strategy.strategy import Strategy

WALLET = """
    SELECT w.wallet, w.mode, w.strategy, w.parameters, w.instruments, w."interval", w.currency, w.opening_cash,
        w.fee_rate, w.opened_at, w.max_decision_age, w.broker, s.state, s.reason, w.limits
    FROM trading.wallets AS w INNER JOIN trading.wallet_states AS s USING (wallet) WHERE w.wallet = %s
"""
OF_WALLET = """
    venue || ':' || symbol IN (SELECT unnest(w.instruments) FROM trading.wallets AS w WHERE w.wallet = %s)
"""
FILLS = """
    SELECT f.listing_id, f.fill_id, f.intent_id, f.side, f.quantity, f.price, f.fee, f.currency, f.filled_at,
        f.known_at, f.bar_interval, f.bar_open_time, f.fee_currency, f.fee_in_units, f.fee_value, f.venue_fill_id
    FROM trading.fills AS f
    INNER JOIN trading.ledger AS l ON f.wallet = l.wallet AND l.kind = 'fill' AND f.fill_id = l.reference
    WHERE f.wallet = %(wallet)s AND f.known_at >= coalesce(%(since)s, '-infinity'::timestamptz)
        AND f.recorded_at <= coalesce(%(stored_by)s, 'infinity'::timestamptz)
        AND (%(sleeve)s::text IS NULL OR EXISTS (
            SELECT FROM trading.intents AS i INNER JOIN signals.decisions AS d USING (decision_id)
            WHERE i.intent_id = f.intent_id AND d.strategy = %(sleeve)s
        ))
    ORDER BY l.sequence
"""


@dataclass(frozen=True)
class Wallet:
    """An opened wallet. `state` is the one that counts: its own, or that of a halt which it falls under.

    `splits` are those of its listings that are booked, oldest first.

    Args:
        sleeves: of a wallet that several strategies share, retired ones too; none where it has one strategy.
        fractions: by the split's movement, the owner of the fraction that made no whole lot.
        sleeve: set in a view of a wallet (`strategy_views`): what one of its strategies sees of it.
    """

    name: str
    mode: str
    strategy: str
    parameters: dict[str, Any]
    listings: Sequence[Listing]
    interval: str
    currency: str
    opening_cash: Decimal
    fee_rate: Decimal
    opened_at: datetime
    max_age: timedelta
    broker: str = "paper"
    state: str = "active"
    state_reason: str | None = None
    limits: WalletLimits = field(default_factory=WalletLimits)
    splits: tuple[Split, ...] = ()
    sleeves: tuple[Sleeve, ...] = ()
    fractions: Mapping[str, str] = field(default_factory=dict)
    sleeve: Sleeve | None = None

    def new_strategy(self) -> Strategy:
        """A fresh instance of the strategy; of a wallet with sleeves, as a whole, one that decides nothing."""
        return Strategy() if self.strategy == SEVERAL else create(self.strategy, self.parameters)

    def without_strategy(self) -> "Wallet":
        """The wallet with a strategy that decides nothing: what it holds has a value whatever is wrong with its own."""
        return replace(self, strategy=SEVERAL, parameters={})

    @property
    def title(self) -> str:
        """What its decisions have as their strategy: the sleeve's name, or that of the one strategy."""
        return self.sleeve.name if self.sleeve else self.new_strategy().title()

    @property
    def sleeve_name(self) -> str | None:
        """The sleeve that a view is of; None for a whole wallet."""
        return self.sleeve.name if self.sleeve else None

    def owner_of(self, strategy: str) -> str:
        """Whose an order decided by `strategy` is: a sleeve, or UNATTRIBUTED; of one strategy all is in one account."""
        return strategy if any(sleeve.name == strategy for sleeve in self.sleeves) else UNATTRIBUTED

    @property
    def retired_sleeves(self) -> frozenset[str]:
        """The sleeves that Wallets.json no longer lists."""
        return frozenset(sleeve.name for sleeve in self.sleeves if sleeve.state == "retired")

    @property
    def states(self) -> States:
        """Its states and its sleeves', as they were read with it."""
        return States(self.state, {sleeve.name: sleeve.state for sleeve in self.sleeves})

    def in_states(self, states: States) -> "Wallet":
        """The wallet with the states that count now."""
        sleeves = (replace(one, state=states.sleeves.get(one.name, one.state)) for one in self.sleeves)
        return replace(self, state=states.wallet, sleeves=tuple(sleeves))

    def strategy_views(self) -> list["Wallet"]:
        """The wallet as each strategy that decides sees it; one with a single strategy is its own view."""
        return [self.view_of(sleeve) for sleeve in self.sleeves if sleeve.state != "retired"] or (
            [] if self.sleeves else [self]
        )

    def splits_of(self, owner: str) -> tuple[Split, ...]:
        """The splits as one owner has them: a fraction that made no whole lot belonged to one owner."""
        return tuple(
            split if self.fractions.get(split.movement_id) == owner else replace(split, taken=ZERO, cash=ZERO)
            for split in self.splits
        )

    def view_of(self, sleeve: Sleeve) -> "Wallet":
        """The wallet as a sleeve sees it: its strategy, its listings, its part of the capital."""
        listings = [listing for listing in self.listings if listing.name in sleeve.instruments]
        ids = {listing.listing_id for listing in listings}
        return replace(
            self,
            strategy=sleeve.strategy,
            parameters=sleeve.parameters,
            listings=listings,
            opening_cash=sleeve.part_of(self.opening_cash),
            opened_at=max(self.opened_at, sleeve.opened_at),
            state=sleeve.state,
            state_reason=sleeve.state_reason,
            splits=tuple(split for split in self.splits_of(sleeve.name) if split.listing_id in ids),
            sleeves=(),
            sleeve=sleeve,
        )

    def code(self) -> str:
        """The hash of the code behind its strategies; one that cannot be made has none."""
        hashes = []
        for view in self.strategy_views():
            with suppress(Exception):  # a strategy's own constructor may raise anything
                hashes.append(trading_code(view.new_strategy()))
        return combined_hash(hashes) if self.sleeves else "".join(hashes)

    @property
    def rules(self) -> Rules:
        """What the risk gate goes by."""
        return Rules(self.opened_at, self.max_age, self.fee_rate, self.state, self.limits)


def open_wallet(connection: Connection, template: WalletTemplate, *, now: datetime) -> Wallet:
    """Open a wallet with its deposit, unless it is open already, and return it. Commits.

    A sleeve whose strategy cannot be made is not opened, and one that is open stays as it is.

    Raises:
        LookupError: for an instrument the database does not know.
        WalletsError: when it cannot trade, or is open with another setting, which would mix two stories in one ledger.
    """
    listed = [one.name for one in template.sleeves]
    template = template.usable_part()
    template.check()
    with connection.cursor() as cursor:
        find_listings(cursor, template.instruments)
    row = wallet_row(template, template.name, opened_at=template.opened_at or now, window_end=None, as_of=None)
    is_new = insert(connection, "trading.wallets", row)
    if is_new:
        opening = deposit(template.name, template.cash, template.currency, row["opened_at"])
        for line in chain(template.name, [opening]):
            insert(connection, "trading.ledger", line_row(line, template.name))
        cash = cash_row(template.name, template.currency, template.cash, row["opened_at"])
        insert(connection, "trading.cash", cash)
    # A strategy may be mended; the wallet says with which code it goes on. Its owner may change its limits at any time.
    connection.execute(
        "UPDATE trading.wallets SET code_hash = %s, max_decision_age = %s, limits = %s, dead_man_seconds = %s "
        "WHERE wallet = %s",
        [row["code_hash"], template.max_age, row["limits"], template.dead_man_seconds, template.name],
    )
    if template.sleeves:
        # One that joins later opens when it is first seen: it does not decide on the past.
        opened_at = row["opened_at"] if is_new else now
        rows = [sleeve_row(template.name, one, opened_at=opened_at) for one in template.sleeves]
        store_sleeves(connection, template.name, rows, listed=listed, now=now)
    # One that was taken out of the file and is listed again goes on, and one that was halted stays so.
    connection.execute(
        "UPDATE trading.wallets SET state = coalesce(state_before, 'active'), state_reason = reason_before "
        "WHERE wallet = %s AND state IN ('retiring', 'retired')",
        [template.name],
    )
    wallet = load_wallet(connection, template.name)
    _check_unchanged(wallet, template)
    connection.commit()
    crash_point("trading.wallet_opened")
    return wallet


def _check_unchanged(wallet: Wallet, template: WalletTemplate) -> None:
    for name, opened, wanted in (
        ("mode", wallet.mode, template.mode),
        ("broker", wallet.broker, template.broker),
        ("strategy", wallet.strategy, template.strategy),
        ("parameters", wallet.parameters, template.new_strategy().parameters),
        ("instruments", tuple(listing.name for listing in wallet.listings), template.instruments),
        ("interval", wallet.interval, template.interval),
        ("currency", wallet.currency, template.currency),
        ("cash", wallet.opening_cash, template.cash),
        ("fee_percent", wallet.fee_rate * 100, template.fee_rate * 100),
    ):
        if opened != wanted:
            raise WalletsError(
                f"wallet {wallet.name}: {name}: expected {opened}, as it was opened, was {wanted}; use a new name"
            )
    known = {sleeve.name: sleeve for sleeve in wallet.sleeves}
    for one in template.sleeves:
        sleeve = known[one.name]
        was = sleeve.strategy, sleeve.parameters, tuple(sleeve.instruments)
        written = one.strategy, one.new_strategy().parameters, one.instruments
        if was != written:
            raise WalletsError(
                f"wallet {wallet.name}: strategy {one.name}: expected {was}, as it was opened, was {written}; "
                "use a new name for it"
            )


def load_wallet(connection: Connection, name: str) -> Wallet:
    """An opened wallet.

    Raises:
        LookupError: when there is no such wallet, or an instrument of it is not in the database.
    """
    # All are asked before the first is read: within a pipeline they cost one wait.
    opened = connection.execute(WALLET, [name])
    listed = connection.execute(f"{LISTINGS} WHERE {OF_WALLET}", [name])
    booked = connection.execute(SPLITS, [name])
    row = opened.fetchone()
    if row is None:
        raise LookupError(f"wallet: expected one that was opened, was {name!r}; is it in Wallets.json?")
    name, mode, strategy, parameters, instruments, *rest, limits = row
    wallet = Wallet(name, mode, strategy, parameters, listings_named(instruments, listed), *rest)
    splits = splits_of_rows(name, booked) if mode != "replay" else ()
    sleeves = read_sleeves(connection, name) if strategy == SEVERAL else ()
    wallet = replace(wallet, limits=parse_limits(limits), splits=splits, sleeves=sleeves)
    # Only where a split left a fraction: all fills of the wallet are read for it.
    if sleeves and any(split.taken for split in splits):
        owned = owned_positions(load_fills(connection, wallet), fill_owners(connection, name), splits)
        wallet = replace(wallet, fractions=owned.fractions)
    return wallet


def is_open(connection: Connection, name: str) -> bool:
    """Whether there is a wallet of that name. Ends the transaction."""
    row = connection.execute("SELECT FROM trading.wallets WHERE wallet = %s", [name]).fetchone()
    connection.commit()  # not a rollback: that forgets the prepared statements of the connection
    return row is not None


def set_state(connection: Connection, name: str, state: str, *, reason: str | None) -> None:
    """Set a wallet's state: active, reducing, halted, retiring or retired, and why. Commits nothing."""
    connection.execute(
        "UPDATE trading.wallets SET state = %s, state_reason = %s WHERE wallet = %s", [state, reason, name]
    )


def load_fills(
    connection: Connection, wallet: Wallet, *, since: datetime | None = None, stored_by: datetime | None = None
) -> list[Fill]:
    """The recorded fills, as events, in the order in which they were booked: an entry before what it set off.

    Of a view of a sleeve those of its orders alone.

    Args:
        since: only those known then or later.
        stored_by: only those that were recorded by this time.
    """
    index = {listing.listing_id: i for i, listing in enumerate(wallet.listings)}
    rows = connection.execute(
        FILLS, {"wallet": wallet.name, "since": since, "stored_by": stored_by, "sleeve": wallet.sleeve_name}
    )
    return [Fill(index[row[0]], *row) for row in rows]


def fills_of_session(
    connection: Connection, wallet: Wallet, *, since: datetime | None = None, stored_by: datetime | None = None
) -> list[Fill]:
    """The recorded fills as a strategy and a curve take them: in the shares of the bars, and fractions as sold.

    Args:
        since, stored_by: as those of `load_fills`.
    """
    splits = [split for split in wallet.splits if stored_by is None or split.recorded_at <= stored_by]
    fills = load_fills(connection, wallet, since=since, stored_by=stored_by)
    index = {listing.listing_id: i for i, listing in enumerate(wallet.listings)}
    fills += [
        paid_out(split, index[split.listing_id], wallet.currency)
        for split in splits
        if split.taken and (since is None or split.recorded_at >= since)
    ]
    return [in_current_shares(fill, splits) for fill in fills]
