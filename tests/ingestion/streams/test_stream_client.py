"""A venue's answers that are no stream cost a connection, and nothing else."""

import asyncio
import socket
from datetime import UTC, datetime

import pytest

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
