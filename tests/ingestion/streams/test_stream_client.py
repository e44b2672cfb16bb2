"""A venue's answers that are no stream cost a connection, and nothing else."""

import asyncio
import math
import socket
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from strades_pipelines.datamanager.protocol import Login
from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.ingestion.streams import stream_client
from strades_pipelines.ingestion.streams.stream_client import StreamClient
from strades_pipelines.ingestion.streams.stream_sources import stream_sources
from strades_pipelines.settings import PROJECT

REDIRECT = b"HTTP/1.1 301 Moved Permanently\r\nLocation: wss://other.example/\r\nContent-Length: 0\r\n\r\n"


async def _ignore(*_: object) -> None:
    pass


def client(said: list[str]) -> StreamClient:
    """A client of gateio_trades that drops its frames."""
    [source] = stream_sources(load_sources(PROJECT / "Sources.json"), ["gateio_trades"])
    now = datetime(2026, 11, 30, tzinfo=UTC)
    return StreamClient(source, _ignore, clock=lambda: now, say=said.append, disconnected=lambda: None)


def test_a_redirect_is_a_failed_connection_and_the_next_one_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    requests = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        await reader.readuntil(b"\r\n\r\n")
        requests += 1
        writer.write(REDIRECT)
        writer.close()

    async def connect_twice() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]

        async def open_socket(_: str) -> socket.socket:  # as in the live world, where the socket is opened first
            return await asyncio.to_thread(socket.create_connection, ("127.0.0.1", port))

        monkeypatch.setattr(stream_client, "open_socket", open_socket)
        monkeypatch.setattr(stream_client, "wire_url", lambda _: f"ws://127.0.0.1:{port}/")
        running = asyncio.create_task(client(said).run())
        async with server, asyncio.timeout(30):
            while requests < 2 and not running.done():
                await asyncio.sleep(0.01)
        assert not running.done()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    monkeypatch.setattr(stream_client, "FIRST_WAIT", 0.01)
    asyncio.run(connect_twice())
    assert requests == 2
    assert len(said) == 1  # the same failure is told of once
    assert "cannot follow redirect" in said[0]


def test_frames_are_kept_byte_by_byte_and_a_venue_is_heard_once_all_is_subscribed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    received: list[tuple[int, int, bytes]] = []
    made = client([])
    connected_at: list[float] = []

    async def keep(*frame: Any) -> None:
        assert made._heard_at == math.inf  # while a frame waits for us, the venue is not silent
        received.append(frame)

    async def send(socket: ServerConnection) -> None:
        await socket.recv()
        connected_at.append(made.connected_at)  # the wait after the first message is not over
        await socket.send(b"\xff\x00", text=True)
        await socket.send('{"a": "\N{EURO SIGN}"}')
        await socket.wait_closed()

    async def receive() -> None:
        async with serve(send, "127.0.0.1", 0) as server, asyncio.timeout(30):
            port = next(iter(server.sockets)).getsockname()[1]
            monkeypatch.setattr(stream_client, "wire_url", lambda _: f"ws://127.0.0.1:{port}/")
            running = asyncio.create_task(made.run())
            while len(received) < 2 or made.connected_at == math.inf:
                await asyncio.sleep(0.01)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    monkeypatch.setattr(made, "_receive", keep)
    monkeypatch.setattr(made, "stream", replace(made.stream, subscribe_per_second=1.0))
    asyncio.run(receive())
    assert connected_at == [math.inf]
    assert [frame[1:] for frame in received] == [(0, b"\xff\x00"), (1, b'{"a": "\xe2\x82\xac"}')]
    assert len({frame[0] for frame in received}) == 1  # of one connection


def test_a_login_is_sent_first_and_what_repeats_its_key_is_kept_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    frames: list[bytes] = []
    sent: list[str | bytes] = []

    async def receive(connection: int, sequence: int, frame: bytes) -> None:
        frames.append(frame)

    async def answer(connection: ServerConnection) -> None:
        async for message in connection:
            sent.append(message)
            await connection.send(message)

    async def log_in() -> None:
        async with serve(answer, "127.0.0.1", 0) as server, asyncio.timeout(30):
            port = server.sockets[0].getsockname()[1]
            monkeypatch.setattr(stream_client, "wire_url", lambda _: f"ws://127.0.0.1:{port}/")
            running = asyncio.create_task(made.run())
            while len(frames) < 2 and not running.done():
                await asyncio.sleep(0.01)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    made = client([])
    login = Login({"action": "auth"}, {"key": "CANARY_API_KEY"})
    made.stream = replace(made.stream, login=login)
    made._receive = receive
    with pytest.raises(ValueError, match="CANARY_API_KEY is not set"):
        asyncio.run(made._read_one_connection())
    monkeypatch.setenv("CANARY_API_KEY", "canary-0123456789")
    asyncio.run(log_in())
    assert sent[0] == '{"action":"auth","key":"canary-0123456789"}'
    assert frames[0] == b'{"action":"auth","key":"***"}'
    assert frames[1] == str(sent[1]).encode()
