"""A small Sources.json to spoil."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Write = Callable[[Any], Path]


def document() -> dict[str, Any]:
    """A valid document with one website and one instrument."""
    website = {
        "name": "gateio",
        "title": "Gate.io",
        "url": "https://www.gate.com/",
        "fonctionnel": True,
        "category": "markets",
        "protocol": "gateio_candles",
        "schedule": "*/15 * * * *",
        "financial_instruments": ["001CC"],
        "licence": "public",
    }
    instrument = {
        "id": "001CC",
        "symbol": "BTC_USDT",
        "name": "Bitcoin",
        "type": "timeseries",
        "interval": "1m",
        "start_date": "2015-07-01T00:00:00",
        "end_date": None,
        "kind": "crypto",
        "currency": "USDT",
        "tick_size": 0.1,
        "lot_size": 0.00001,
    }
    return {"websites": [website], "financial_instruments": [instrument]}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """`write(document) -> path` of a Sources.json; bytes are written as they are."""

    def written(content: Any) -> Path:
        path = tmp_path / "Sources.json"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return written
