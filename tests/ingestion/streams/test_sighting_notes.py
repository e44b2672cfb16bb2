"""What a venue answers to a login or a subscription that it refuses is read from its frame, and told."""

import asyncio
import json

import pytest

from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.ingestion.streams.routing import Router
from tests.ingestion.streams.test_frames import instrument
from tests.ingestion.streams.test_recorder import NOW, Recording, recording

__all__ = ["recording"]


@pytest.mark.parametrize(
    ("protocol", "frame", "told"),
    [
        ("alpaca_crypto_trades", [{"T": "error", "code": 402, "msg": "auth failed"}], "402 auth failed"),
        ("alpaca_crypto_trades", [{"T": "success", "msg": "authenticated"}], None),
        ("gateio_trades", {"event": "subscribe", "error": {"code": 2, "message": "unknown pair"}}, "unknown pair"),
        ("gateio_trades", {"event": "subscribe", "error": None, "result": {"status": "success"}}, None),
        ("kraken_trades", {"error": "Currency pair not supported", "success": False}, "Currency pair not supported"),
        (
            "coinbase_trades",
            {"type": "error", "message": "Failed", "reason": "no such product"},
            "Failed no such product",
        ),
        ("binance_trades", {"error": {"code": 2, "msg": "Invalid request"}}, None),  # it takes no message of ours
    ],
)
def test_what_a_venue_says_where_it_refuses_is_read(protocol: str, frame: object, told: str | None) -> None:
    [route] = Router(load_protocol(protocol), [instrument("BTC_USDT")]).route([json.dumps(frame).encode()])
    assert (route.is_readable, route.refusal) == (True, told)


def test_a_refusal_of_the_venue_is_told_once_and_stands_until_another_connection_has_records(
    recording: Recording,
) -> None:
    refused = b'{"channel": "spot.trades", "event": "subscribe", "error": {"code": 2, "message": "unknown pair"}}'
    told: list[str | None] = []

    async def receive() -> None:
        for connection in (6, 7):
            await recording.recorder._receive(connection, 0, refused)
        recording.recorder._route_arrived()
        recording.sequence = 1
        recording.recorder.client.connection = None
        told.append(recording.recorder.states.state(recording.progress).detail)
        recording.recorder.client.connection = 7
        await recording.receive(1, NOW)  # of another instrument of the same connection, say
        told.append(recording.recorder.states.state(recording.progress).detail)
        recording.recorder._notes._refused_on = 6
        await recording.receive(2, NOW)
        told.append(recording.recorder.states.state(recording.progress).detail)

    asyncio.run(receive())
    line = "the venue refuses: unknown pair"
    assert told == [line, line, None]
    assert recording.said == [f"gateio_trades: {line}"]
