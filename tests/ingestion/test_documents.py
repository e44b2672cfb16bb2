"""What `strades parse --json` prints."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from strades_pipelines.datamanager.protocols import ProtocolError
from strades_pipelines.ingestion.documents import parse_document
from tests.ingestion.conftest import gate_body, gate_row

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
GIVEN = ["symbol=BTC_USDT", "interval=1m"]


def test_document_has_plain_records_and_rejects(tmp_path: Path) -> None:
    body = gate_body(gate_row(0), gate_row(1, close=900.0))
    file = tmp_path / "body.json"
    file.write_bytes(body)
    document = parse_document("gateio_candles", file, GIVEN, NOW)
    assert json.loads(json.dumps(document, allow_nan=False)) == {
        "protocol": "gateio_candles",
        "sha256": hashlib.sha256(body).hexdigest(),
        "records": [
            {
                "kind": "candle",
                "symbol": "BTC_USDT",
                "interval": "1m",
                "open_time": "2026-11-01T00:00:00Z",
                "close_time": "2026-11-01T00:01:00Z",
                "open": 100.0,
                "high": 102.0,
                "low": 99.0,
                "close": 101.0,
                "volume": 10.25,
                "quote_volume": 1000.5,
                "trade_count": None,
                "is_final": True,
                "knowledge_time": "2026-11-01T00:01:00Z",
            }
        ],
        "rejects": [
            {
                "reason": "close_outside_range",
                "where": "/1",
                "raw": json.dumps(gate_row(1, close=900.0), separators=(",", ":")),
            }
        ],
    }


def test_dates_are_dates_and_times_keep_fractions(tmp_path: Path, shared_data: Path) -> None:
    chart = shared_data / "payloads/yahoo/chart/chart-aapl-2020-08-31-to-2020-11-07.json"
    actions = [
        row for row in parse_document("yahoo_chart", chart, [], NOW)["records"] if row["kind"] == "corporate_action"
    ]
    assert [row["ex_date"] for row in actions] == ["2020-11-06", "2020-08-31"]
    trade = {"id": "1", "create_time_ms": "1710327648162.035000", "side": "sell", "amount": "1", "price": "2"}
    file = tmp_path / "trades.json"
    file.write_text(json.dumps([trade]))
    record = parse_document("gateio_trades", file, ["symbol=X"], NOW)["records"][0]
    assert record["event_time"] == "2024-03-13T11:00:48.162035Z"


@pytest.mark.parametrize(
    ("protocol", "name", "given", "match"),
    [
        ("gateio_candels", "body.json", GIVEN, "expected one of alpaca_crypto_candles, .*was 'gateio_candels'"),
        ("../../secret", "body.json", GIVEN, "expected one of"),
        ("gateio_candles", "absent.json", GIVEN, "absent.json: expected a readable file"),
        ("gateio_candles", "body.json", ["symbol"], "expected key=value, was 'symbol'"),
        ("gateio_candles", "body.json", ["symbol=X"], "expected interval to be given"),
    ],
)
def test_wrong_input_is_one_line(tmp_path: Path, protocol: str, name: str, given: list[str], match: str) -> None:
    (tmp_path / "body.json").write_bytes(gate_body(gate_row(0)))
    with pytest.raises(ProtocolError, match=match) as error:
        parse_document(protocol, tmp_path / name, given, NOW)
    assert "\n" not in str(error.value)
