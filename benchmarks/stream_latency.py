"""From a trade that a venue sends to the decision that is stored for it: the median, and what one in a hundred takes.

A venue of this process sends Gate.io's trades over a WebSocket to a recorder with a desk and a PostgreSQL of its own,
`STREAM_LATENCY_PER_SECOND` (4) for `STREAM_LATENCY_SECONDS` (60). Each trade turns the flow of the one before, so that
each decides. The time ends when the decision is committed, and holds the 10 ms that a frame waits for others. Beside
it, in the same go, the same with sessions that are rebuilt for each batch.
"""

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from websockets.asyncio.server import ServerConnection, serve

from benchmarks.databases import empty_database
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.session_cache import SessionCache
from strades_pipelines.brokerage.stream_desk import StreamDesk, stream_hearing_wallets
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.database.connection import connect
from strades_pipelines.datamanager.listings import sync_listings
from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.ingestion.streams.recorder import StreamRecorder
from strades_pipelines.ingestion.streams.stream_sources import stream_sources
from strades_pipelines.ingestion.streams.writer import StreamWriter
from strades_pipelines.settings import PROJECT, settings

PER_SECOND = float(os.environ.get("STREAM_LATENCY_PER_SECOND", "4"))
SECONDS = float(os.environ.get("STREAM_LATENCY_SECONDS", "60"))
WALLET = {
    "name": "latency",
    "mode": "paper",
    "strategy": "trade_imbalance",
    "parameters": {"window": 0.001, "enter": 0.0, "leave": 0.0, "hold": 1000000, "size": 0.01},
    "instruments": ["gateio:BTC_USDT"],
    "interval": "1m",
    "currency": "USDT",
    "cash": 10_000,
}


class NoSessions(SessionCache):
    """Forgets each session: every batch rebuilds its own."""

    def commit(self, wallet: Wallet) -> None:
        """Keep nothing."""
        self.clear()


def main() -> None:
    """Print the milliseconds of both."""
    for name, sessions in (("sessions in memory", SessionCache()), ("rebuilt for each batch", NoSessions())):
        with tempfile.TemporaryDirectory() as folder, empty_database() as url:
            wallets = Path(folder) / "Wallets.json"
            wallets.write_text(json.dumps({"wallets": [WALLET]}))
            os.environ["STRADES_WALLETS"] = str(wallets)
            settings.cache_clear()
            spent, decisions = asyncio.run(_run(url, sessions))
        figures = ", ".join(f"p{q} {np.percentile(spent, q):.1f}" for q in (50, 90, 99))
        print(f"{name}: {figures} ms over {len(spent)} trades, {decisions} decisions")


async def _run(url: str, sessions: SessionCache) -> tuple[list[float], int]:
    """The milliseconds from each trade to the next decision, and how many there were."""
    sent: list[float] = []
    decided: list[float] = []

    async def send(socket: ServerConnection) -> None:
        await socket.recv()
        for number in range(int(PER_SECOND * SECONDS)):
            sent.append(time.perf_counter())
            await socket.send(_frame(number))
            await asyncio.sleep(1 / PER_SECOND)
        await socket.wait_closed()

    def say(line: str) -> None:
        if "after its trade" in line:
            decided.append(time.perf_counter())

    async with serve(send, "127.0.0.1", 0) as venue:
        [address] = [socket.getsockname() for socket in venue.sockets]
        os.environ["STRADES_SANDBOX_URL"] = f"http://127.0.0.1:{address[1]}"
        settings.cache_clear()
        tasks = _start(url, sessions, say)
        await asyncio.sleep(SECONDS + 5)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    spent = [1000 * (min(at for at in decided if at > when) - when) for when in sent if when < decided[-1]]
    return spent[1:], len(decided)  # the first one opens connections


def _start(url: str, sessions: SessionCache, say: Callable[[str], None]) -> list[asyncio.Task[None]]:
    sources = load_sources(PROJECT / "Sources.json")
    sync_listings(sources, url=url, now=now())
    [template] = stream_hearing_wallets()
    with connect(url) as connection:
        open_wallet(connection, template, now=now())
    desk = StreamDesk(url, clock=now, say=say)
    desk.sessions = sessions
    [source] = stream_sources(sources, ["gateio_trades"])
    recorder = StreamRecorder(source, StreamWriter(source, url), clock=now, say=print, listener=desk)
    return [asyncio.create_task(recorder.run()), asyncio.create_task(desk.run())]


def now() -> datetime:
    """The time, UTC."""
    return datetime.now(UTC)


def _frame(number: int) -> bytes:
    at = time.time()
    trade = {
        "id": number + 1,
        "id_market": number + 1,
        "create_time": int(at),
        "create_time_ms": f"{at * 1000:.3f}",
        "side": "buy" if number % 2 else "sell",
        "currency_pair": "BTC_USDT",
        "amount": "1",
        "price": "100.0",
    }
    return json.dumps({"channel": "spot.trades", "event": "update", "result": trade}).encode()
