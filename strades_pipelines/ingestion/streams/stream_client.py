"""One connection to a venue after the other: each opened, subscribed, kept alive and, before it is cut, made anew."""

import asyncio
import math
import random
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK, WebSocketException

from strades_pipelines.ingestion.streams.address import open_socket, wire_url
from strades_pipelines.ingestion.streams.frame_store import StreamSource
from strades_pipelines.ingestion.streams.messages import login_message, ping_message, subscriptions
from strades_pipelines.ingestion.verdicts import one_line
from strades_pipelines.market.ids import int63
from strades_pipelines.settings import settings
from strades_pipelines.system.secret_values import masked_bytes

FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0  # seconds between two connections, doubled while they fail
LASTING_SECONDS = 60.0  # a connection that lasted so long was no failure
OPEN_SECONDS, CLOSE_SECONDS = 10.0, 1.0
PING_SECONDS, PONG_SECONDS = 20.0, 30.0  # of the WebSocket itself
# What the library holds besides our buffer; beyond that it stops to read from the network.
QUEUED_FRAMES = 64
Receive = Callable[[int, int, bytes], Awaitable[None]]  # (connection, sequence, frame)


class StreamClient:
    """Connects again and again. `receive` takes each frame; while it waits, nothing more is read."""

    def __init__(
        self,
        source: StreamSource,
        receive: Receive,
        *,
        clock: Callable[[], datetime],
        say: Callable[[str], None],
        disconnected: Callable[[], None],
    ) -> None:
        assert source.protocol.stream is not None
        self.source, self.stream = source, source.protocol.stream
        self.connection: int | None = None
        self.connected_at = 0.0  # when its last subscription was sent; infinite until then
        self.error: str | None = None
        self._receive, self._clock, self._say, self._disconnected = receive, clock, say, disconnected
        self._heard_at = 0.0

    async def run(self) -> None:
        """Connect, read until the connection ends, wait, and again; until it is cancelled."""
        wait = FIRST_WAIT
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                await self._read_one_connection()
                error = "the connection ended"
            # ValueError: an address that was refused, or a redirect, which `websockets` refuses where a socket is given
            except (OSError, TimeoutError, WebSocketException, ValueError) as failure:
                error = one_line(str(failure) or type(failure).__name__)
            finally:
                self.connection = None
                self._disconnected()
            if error != self.error:
                self._say(f"{self.source.website.name}: {error}; connecting again")
            self.error = error
            wait = FIRST_WAIT if loop.time() - began > LASTING_SECONDS else min(2 * wait, LONGEST_WAIT)
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # not all clients at once, when a venue comes back

    async def _read_one_connection(self) -> None:
        loop = asyncio.get_running_loop()
        login = login_message(self.stream)
        opened = connect(
            wire_url(self.source.url),
            sock=await open_socket(self.source.url),
            max_size=self.stream.max_frame_bytes,
            max_queue=QUEUED_FRAMES,
            compression=None,
            ping_interval=PING_SECONDS,
            ping_timeout=PONG_SECONDS,
            open_timeout=OPEN_SECONDS,
            close_timeout=CLOSE_SECONDS,
            user_agent_header=settings().user_agent,
            proxy=None,
        )
        async with opened as socket:
            self.connection = int63(self.source.website.name, self._clock(), secrets.token_hex(8))
            self.connected_at, self._heard_at = math.inf, loop.time()
            beside = [asyncio.create_task(each) for each in (self._subscribe(socket, login), self._keep_alive(socket))]
            try:
                await self._read(socket, self.connection)
            finally:
                for task in beside:
                    task.cancel()
                await asyncio.gather(*beside, return_exceptions=True)  # what failed there ended the reading too

    async def _read(self, socket: ClientConnection, connection: int) -> None:
        """Read frames as the bytes that came: one of invalid UTF-8 is kept like any other."""
        loop = asyncio.get_running_loop()
        sequence = 0
        try:
            while True:
                frame = masked_bytes(await socket.recv(decode=False))  # a venue may repeat the key of the login
                self._heard_at = math.inf  # while we are slow, the venue's silence is ours
                await self._receive(connection, sequence, frame)
                self._heard_at = loop.time()
                sequence += 1
        except ConnectionClosedOK:
            return
        except ConnectionClosed as closed:
            raise ConnectionResetError(f"cut by the venue: {closed}") from None

    async def _subscribe(self, socket: ClientConnection, login: str | None) -> None:
        instruments = list(self.source.instruments.values())
        asked = subscriptions(self.source.protocol, instruments, self._clock())
        for message in asked if login is None else [login, *asked]:
            await socket.send(message)
            await asyncio.sleep(1 / self.stream.subscribe_per_second)
        self.connected_at = asyncio.get_running_loop().time()

    async def _keep_alive(self, socket: ClientConnection) -> None:
        """Send the venue's own pings; end a connection that is silent, or nearly as old as the venue lets it become."""
        loop = asyncio.get_running_loop()
        # Not all connections of a process at once.
        end = loop.time() + self.stream.life_seconds * random.uniform(0.9, 1.0)
        while True:
            await asyncio.sleep(min(self.stream.ping_seconds, self.stream.silence_seconds / 2))
            if loop.time() - self._heard_at > self.stream.silence_seconds:
                self._say(f"{self.source.website.name}: no frame for {self.stream.silence_seconds:g} s")
                await socket.close()
            elif loop.time() > end:
                await socket.close()
            elif (ping := ping_message(self.stream, self._clock())) is not None:
                await socket.send(ping)
