"""Decides for the wallets whose strategies hear trades or quotes, as soon as a stream of this process has stored some.

It decides as every other pass does (`live.decide`), from what is stored: a process that is killed anywhere leaves to
the next one, or to `strades trade`, what it had not decided. The sessions stay in memory and are fed with what is new,
so that a decision follows its trade or quote within milliseconds. What is decided is sent by the order room's own loop,
which the commit wakes.
"""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING

from strades_pipelines.brokerage.live import decide, for_each
from strades_pipelines.brokerage.portfolio import is_open
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.session_cache import SessionCache
from strades_pipelines.brokerage.trade_pass import TRADING_MODES
from strades_pipelines.brokerage.wallets import WalletsError, WalletTemplate, read_wallets
from strades_pipelines.database.connection import adbc_connect, connect
from strades_pipelines.database.errors import cause
from strades_pipelines.market.order_terms import TradingDecision
from strades_pipelines.settings import settings

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection


class StreamDesk:
    """Decides while `run` runs, each time that `hear` was called.

    Args:
        clock: the world's time, UTC.
        say: takes a line for people.
    """

    def __init__(self, url: str, *, clock: Callable[[], datetime], say: Callable[[str], None]) -> None:
        self.decisions = 0
        self._url, self._clock, self._say = url, clock, say
        self._records = asyncio.Event()
        self._said: dict[str, str] = {}
        self._has_wallets = True
        self._stack, self._turn = ExitStack(), Lock()
        self._connections: tuple[Connection, AdbcConnection] | None = None
        self.sessions = SessionCache()

    @property
    def is_waiting(self) -> bool:
        """Whether a wallet heard any the last time that `Wallets.json` was read; at first as if one did."""
        return self._has_wallets

    def hear(self) -> None:
        """Have the wallets decide: records are stored. For the thread of the event loop."""
        self._records.set()

    async def run(self) -> None:
        """Decide whenever there are new records, until cancelled."""
        try:
            while True:
                await self._records.wait()
                # Before the pass: what is stored during it sets the event again.
                self._records.clear()
                await asyncio.to_thread(self.decide)
        finally:
            with self._turn:  # a pass that was begun goes on in its thread
                self._disconnect()

    def decide(self) -> None:
        """One pass over the wallets that hear streams; what fails stops that wallet alone, and is said once."""
        with self._turn:
            errors = self._pass()
        for name, line in errors.items():
            if self._said.get(name) != line:
                self._say(f"{name}: {line}")
        self._said = errors

    def _pass(self) -> dict[str, str]:
        """Decide; returns what failed, by wallet."""
        try:
            templates = {one.name: one for one in stream_hearing_wallets()}
            self._has_wallets = bool(templates)
            errors = self._decide(templates) if templates else {}
        except WalletsError as error:
            errors = {"Wallets.json": str(error)}
        except Exception as error:  # most often the database's; the streams go on, and the next records try again
            errors = {"decisions": cause(str(error)) or repr(error)}
            self._disconnect()  # `strades trade` decides meanwhile
        else:
            if errors and not self._is_connected():
                self._disconnect()
        return errors

    def _is_connected(self) -> bool:
        """Whether both connections still answer: a strategy's own error costs no other wallet its session."""
        if self._connections is None:
            return False
        connection, adbc = self._connections
        try:
            connection.execute("SELECT 1")
            connection.rollback()
            with adbc.cursor() as cursor:
                cursor.execute("SELECT 1")
                cursor.fetchall()
            adbc.rollback()
        except Exception:
            return False
        return True

    def _decide(self, templates: dict[str, WalletTemplate]) -> dict[str, str]:
        connection, adbc = self._connections = self._connections or self._connect()
        opened = [name for name in templates if is_open(connection, name)]  # the order room opens them

        def one(name: str) -> list[TradingDecision]:
            faults = templates[name].strategy_faults()
            return decide(connection, adbc, name, now=self._clock(), faults=faults, sessions=self.sessions)

        made, errors = for_each(opened, one, (connection, adbc))
        for name, decisions in made.items():
            self.decisions += len(decisions)
            for each in decisions:
                late = (self._clock() - each.decided_at).total_seconds() * 1000
                self._say(f"{name}: {each.reason}, {late:.0f} ms after its {each.trigger_kind}")
        return errors

    def _disconnect(self) -> None:
        with suppress(Exception):  # of a connection that is broken
            self._stack.close()
        self._connections = None
        self.sessions.clear()  # of a database that may not be the one that answers next

    def _connect(self) -> "tuple[Connection, AdbcConnection]":
        return self._stack.enter_context(connect(self._url)), self._stack.enter_context(
            closing(adbc_connect(self._url))
        )


def stream_hearing_wallets() -> list[WalletTemplate]:
    """The wallets of Wallets.json that trade on bars of trades, or have a strategy with `on_trade` or `on_quote`.

    Raises:
        WalletsError: the file cannot be read.
    """
    return [one for one in read_wallets(settings().wallets).of_modes(TRADING_MODES).templates if _hears_streams(one)]


def _hears_streams(template: WalletTemplate) -> bool:
    for one in template.sleeves or (template,):
        with suppress(Exception):  # a strategy's own constructor may raise anything; the order room says so
            if template.every or one.new_strategy().hears_streams():
                return True
    return False
