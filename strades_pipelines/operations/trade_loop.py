"""Body of `strades trade`: trade the wallets in passes until the process is stopped."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from typing import Any

import psycopg
import typer

from strades_pipelines.bad_input import BadInput
from strades_pipelines.brokerage.dead_man import DeadMansSwitches
from strades_pipelines.brokerage.live import join_errors
from strades_pipelines.brokerage.lookup_schedule import LookupSchedule
from strades_pipelines.brokerage.order_book import make_due
from strades_pipelines.brokerage.order_journal import Executed
from strades_pipelines.brokerage.order_streams import OrderStreams
from strades_pipelines.brokerage.pending_commands import carry_out_pending
from strades_pipelines.brokerage.trade_pass import TRADING_MODES, Desk
from strades_pipelines.brokerage.wallets import WalletsError, WalletsFile, read_wallets
from strades_pipelines.database.connection import adbc_connect, connect
from strades_pipelines.operations.output import print_result, say, table
from strades_pipelines.operations.trading import open_world
from strades_pipelines.settings import settings
from strades_pipelines.system import stopping

LONGEST_WAIT = 30.0  # seconds between two attempts to reach a database that is down


class TradeLoop:
    """Passes over the wallets of Wallets.json. Each pass reads the file again, so an edit needs no restart.

    Args:
        wallet: trade only this wallet, and retire none; None: all.
        every: seconds from the end of a pass to the next.
    """

    def __init__(self, wallet: str | None, *, every: float) -> None:
        self.totals: Counter[str] = Counter()
        self.errors: dict[str, str] = {}
        self.not_approved: dict[str, str] = {}
        self._printed: dict[str, str] = {}
        self._started: set[str] = set()
        self._switches = DeadMansSwitches()
        self._wallet, self._every = wallet, every
        self._file = self._read()
        self._streams = OrderStreams()
        self._lookups = LookupSchedule(self._streams.is_listening)
        self._hints: set[str] = set()

    def run(self, seconds: float | None) -> None:
        """Run passes for `seconds`, or until the process is stopped, which is safe at any point."""
        self._streams.follow_decisions()
        try:
            with stopping.at_stop(self._switches.disarm):
                self._run_passes(None if seconds is None else time.monotonic() + seconds)
            self._switches.disarm()
        finally:
            self._streams.stop()

    def _run_passes(self, end: float | None) -> None:
        wait = self._every
        while True:
            try:
                for _ in self._passes(end):
                    wait = self._every
                if end is not None and time.monotonic() >= end:
                    return
            except psycopg.OperationalError as error:
                self.errors = {"database": str(error).splitlines()[0]}
                self._print_new(self.errors)
                wait = min(2 * wait, LONGEST_WAIT)
            self._pause(wait, end)

    def _passes(self, end: float | None) -> Iterator[None]:
        """Run passes on one set of connections until a pass fails, possibly because of a connection."""
        with connect() as ours, connect() as at_venue, closing(adbc_connect()) as adbc:
            desk = Desk(ours, at_venue, adbc, settings().now, self._started, self._switches, self._lookups)
            while True:
                unread = self._read_again()
                file = self._file
                templates = [template for template in file.templates if self._wallet in (None, template.name)]
                self._streams.follow((template.broker, template.mode) for template in templates)
                make_due(ours, self._hints)
                self._lookups.make_due(self._hints)
                ours.commit()
                for command_id, outcome in carry_out_pending(ours, clock=settings().now).items():
                    say(f"{settings().now():%H:%M:%S} command {command_id} {outcome}")
                done, errors, self.not_approved = desk.trade(templates, file.listed if self._wallet is None else None)
                self._report(done, settings().now())
                faults = {fault.wallet: fault.message for fault in file.faults if self._wallet is None}
                self.errors = errors | faults | unread
                self._print_new(join_errors(self.errors, self.not_approved))
                self.totals["passes"] += 1
                yield
                # A live wallet that waits for its approval is no error, so the connections are kept.
                if errors or (end is not None and time.monotonic() >= end):
                    return
                self._pause(self._every, end)

    def _pause(self, seconds: float, end: float | None) -> None:
        """Wait for the next pass; a venue's message about an order ends the wait early."""
        stopping.begin_nothing_more_if_requested()
        self._hints = self._streams.wait(max(0.0, seconds if end is None else min(seconds, end - time.monotonic())))

    def _read(self) -> WalletsFile:
        file = read_wallets(settings().wallets).of_modes(TRADING_MODES)
        if self._wallet is not None and self._wallet not in {template.name for template in file.templates}:
            names = ", ".join(template.name for template in file.templates)
            raise BadInput(f"--wallet: expected one of Wallets.json that trades ({names}), found {self._wallet!r}")
        return file

    def _read_again(self) -> dict[str, str]:
        """Reread Wallets.json; return the error and keep the last content if it is invalid, in mid-edit say."""
        try:
            self._file = self._read()
        except (WalletsError, BadInput) as error:
            return {"Wallets.json": str(error)}
        return {}

    def _report(self, done: dict[str, Executed], now: datetime) -> None:
        """Print a line for each wallet that did something."""
        for name, executed in done.items():
            counts = {
                "intents": len(executed.intents),
                "sent": len(executed.sent),
                "fills": len(executed.fills),
                "refused": len(executed.refusals),
            }
            self.totals.update(counts)
            parts = [f"{count} {what}" for what, count in counts.items() if count]
            codes = ", ".join(sorted(set(executed.refusals.values())))
            if parts:
                say(f"{now:%H:%M:%S} {name}: {', '.join(parts)}{f' ({codes})' if codes else ''}")

    def _print_new(self, lines: dict[str, str]) -> None:
        """Print each line that differs from that of the previous pass."""
        for name, line in lines.items():
            if self._printed.get(name) != line:
                say(f"{settings().now():%H:%M:%S} {name}: {line}")
        self._printed = lines


def run_trade(wallet: str | None, *, seconds: float | None, every: float, as_json: bool) -> None:
    """Run `strades trade`; exit code 1 if the last pass failed for a wallet. A missing approval is no failure."""
    open_world()
    loop = TradeLoop(wallet, every=every)
    loop.run(seconds)
    document: dict[str, Any] = {**loop.totals, "errors": loop.errors, "not_approved": loop.not_approved}
    print_result(document, as_json, [table("passes intents sent fills refused", [document])])
    raise typer.Exit(1 if loop.errors else 0)
