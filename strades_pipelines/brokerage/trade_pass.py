"""One pass over the wallets that trade: decide, then execute. Dagster has no part in it."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from strades_pipelines.brokerage.brokers.selection import venue_for
from strades_pipelines.brokerage.brokers.venue import account_of
from strades_pipelines.brokerage.dead_man import DeadMansSwitches
from strades_pipelines.brokerage.live import decide, for_each, join_errors
from strades_pipelines.brokerage.live_permissions import live_refusals
from strades_pipelines.brokerage.lookup_schedule import LookupSchedule
from strades_pipelines.brokerage.order_journal import Executed
from strades_pipelines.brokerage.portfolio import is_open, load_wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.reconcile import execute_reconciled
from strades_pipelines.brokerage.retirement import retire_unlisted
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.brokerage.wallets import WalletTemplate

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

TRADING_MODES = ("paper", "live")


@dataclass(frozen=True)
class Desk:
    """What a pass works with.

    Args:
        at_venue: for the paper venue alone, whose transactions are its own.
        clock: the world's time, UTC.
        started: accounts that were compared since this process began, in any desk of it.
        switches: that this process has armed, in any desk of it.
        lookups: when orders that work are looked up, in any desk of it; None: in each pass.
    """

    connection: Connection
    at_venue: Connection
    adbc: "AdbcConnection"
    clock: Callable[[], datetime]
    started: set[str] = field(default_factory=set)
    switches: DeadMansSwitches = field(default_factory=DeadMansSwitches)
    lookups: LookupSchedule | None = None

    def trade(
        self, templates: Sequence[WalletTemplate], listed: Collection[str] | None
    ) -> tuple[dict[str, Executed], dict[str, str], dict[str, str]]:
        """Open, decide and execute; returns what was done, what failed and what lacks an approval, by wallet.

        What fails stops that wallet alone. A wallet whose strategy raises is executed all the same: its orders go on,
        and are cancelled when asked.

        Args:
            listed: the names in Wallets.json: others are retired. None to retire none.
        """
        by_name = {template.name: template for template in templates}
        used = self.connection, self.at_venue, self.adbc

        def open_and_decide(name: str) -> None:
            open_wallet(self.connection, by_name[name], now=self.clock())
            faults = by_name[name].strategy_faults()
            decide(self.connection, self.adbc, name, now=self.clock(), faults=faults)

        errors = for_each(by_name, open_and_decide, used)[1]
        retiring = [] if listed is None else retire_unlisted(self.connection, listed, TRADING_MODES)
        opened = [name for name in by_name if is_open(self.connection, name)]

        def renew(name: str) -> None:
            venue = venue_for(load_wallet(self.connection, name), self.at_venue)
            self.switches.renew(by_name[name], templates, venue)

        # Without the switch that it asks for a wallet sends nothing.
        unguarded = for_each([name for name in opened if by_name[name].dead_man_seconds], renew, used)[1]
        guarded = [name for name in opened if name not in unguarded]
        done, failed = for_each([*guarded, *retiring], self.execute, used)
        not_approved = {name: why for name, why in live_refusals(self.connection).items() if name in opened}
        return done, join_errors(errors, unguarded, failed), not_approved

    def execute(self, name: str) -> Executed:
        """Execute what waits in a wallet; the first time in this process its account is reconciled before."""
        account = account_of(load_wallet(self.connection, name))
        at_start = account not in self.started
        executed = execute_reconciled(
            self.connection, self.at_venue, name, now=self.clock(), at_start=at_start, lookups=self.lookups
        )
        # Only after success: an account that failed to reconcile is reconciled first in the next pass too.
        self.started.add(account)
        return executed
