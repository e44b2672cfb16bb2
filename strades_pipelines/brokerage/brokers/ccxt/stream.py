"""The stream of an account's orders at a venue of ccxt's: `watch_orders` of ccxt.pro."""

import asyncio
import logging
from typing import Any

from strades_pipelines.brokerage.brokers.ccxt.account import new_stream_exchange
from strades_pipelines.brokerage.brokers.ccxt.dialects import dialect_of
from strades_pipelines.brokerage.brokers.ccxt.mapping import client_order_id
from strades_pipelines.brokerage.brokers.venue import OnOrder
from strades_pipelines.system.secret_values import masked

LOGGER = logging.getLogger(__name__)
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0  # seconds between two connections


class CcxtStream:
    """The events of the account whose keys are in the environment.

    Args:
        venue: ccxt's name of it.
        is_live: at the venue itself; else at its test network.
    """

    def __init__(self, venue: str, *, is_live: bool) -> None:
        self._venue, self._is_live = venue, is_live
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    def run(self, on_order: OnOrder) -> None:
        """Tell the client order id of each event, until the stream is stopped."""
        try:
            asyncio.run(self._watch(on_order))
        except asyncio.CancelledError:
            return

    def stop(self) -> None:
        """End `run`."""
        if self._loop is not None and self._task is not None and not self._loop.is_closed():
            # `stop` comes from another thread, and a task may be cancelled only in the thread of its loop.
            self._loop.call_soon_threadsafe(self._task.cancel)

    async def _watch(self, on_order: OnOrder) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        prefix = dialect_of(self._venue).client_id_prefix
        exchange: Any = new_stream_exchange(self._venue, is_live=self._is_live)
        if not exchange.has.get("watchOrders"):
            await exchange.close()
            return
        wait = FIRST_WAIT
        try:
            while True:
                try:
                    for order in await exchange.watch_orders():
                        on_order(client_order_id(order, prefix))
                    wait = FIRST_WAIT
                except Exception as error:  # a stream is only a hint: whatever ends it, the passes go on
                    LOGGER.warning("ccxt:%s: order stream: %s", self._venue, masked(f"{type(error).__name__}: {error}"))
                    on_order("")  # what was told meanwhile is lost
                    await asyncio.sleep(wait)
                    wait = min(2 * wait, LONGEST_WAIT)
        finally:
            await exchange.close()
