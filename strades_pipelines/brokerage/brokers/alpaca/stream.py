"""Alpaca's stream `trade_updates`, through its own client."""

from collections.abc import Mapping
from typing import Any

from strades_pipelines.brokerage.brokers.alpaca.account import account_keys, in_sandbox
from strades_pipelines.brokerage.brokers.venue import OnOrder


class AlpacaStream:
    """The events of the account whose keys are in the environment; the client connects again by itself."""

    def __init__(self, *, is_live: bool) -> None:
        from alpaca.trading.stream import TradingStream

        key, secret = account_keys(is_live=is_live)
        url = in_sandbox("/stream")
        url = url.replace("http", "ws", 1) if url else None
        self._stream: Any = TradingStream(key, secret, paper=not is_live, raw_data=True, url_override=url)

    def run(self, on_order: OnOrder) -> None:
        """Tell the client order id of each event, until the stream is stopped."""

        async def take(message: Mapping[str, Any]) -> None:
            order = (message.get("data") or {}).get("order") or {}
            on_order(str(order.get("client_order_id") or ""))

        self._stream.subscribe_trade_updates(take)
        self._stream.run()

    def stop(self) -> None:
        """End `run`, within five seconds."""
        # The client's `stop` needs the loop, which is there only once `run` has begun.
        if self._stream._loop is not None:
            self._stream.stop()
