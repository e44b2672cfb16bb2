"""Protocol files: each is good, and a wrong one is refused with the path of its key."""

import json
from pathlib import Path

import pytest

from strades_pipelines.datamanager.protocols import ProtocolError, load_protocol, make_protocol, protocol_names
from strades_pipelines.settings import PROJECT

FOLDER = PROJECT / "scrapers" / "protocols"


def test_every_protocol_of_the_project_loads() -> None:
    names = protocol_names()
    assert {"gateio_candles", "gateio_trades", "yahoo_chart", "ecb_fx_daily", "ecb_fx_history"} <= set(names)
    for name in names:
        protocol = load_protocol(name)
        assert protocol.name == name
        assert protocol.ask.url.startswith(("https://", "{url}"))
        assert protocol.licence


def test_gate_asks_no_further_back_than_it_answers() -> None:
    ask = load_protocol("gateio_candles").ask
    assert ask.reach
    assert ask.chunk
    assert (ask.reach.bars or 0) <= 9998
    assert ask.chunk.bars == 1000


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("ask", "url", "http://x/", r"ask.url: expected"),
        ("ask", "headers", {"X-CMC_PRO_API_KEY": "12345678"}, r"ask.headers.X-CMC_PRO_API_KEY: expected no key here"),
        ("ask", "parameters", {"token": "12345678"}, r"ask.parameters.token: expected no key here"),
        ("ask", "url", "https://h.example/?api_key=12345678", r"ask.url: expected no key here"),
        (
            "ask",
            "auth",
            {"in": "query", "name": "k", "variable": "abcdef123456"},
            r"ask.auth.variable: expected a name",
        ),
        ("ask", "auth", {"in": "query", "name": "k", "variable": "STRADES_X_KEY"}, r"ask.auth.variable: expected"),
        ("ask", "auth", {"in": "query", "name": "k", "variable": "DATABASE_URL"}, r"ask.auth.variable: expected"),
        ("ask", "auth", {"in": "query", "name": "k"}, r"ask.auth: expected the key 'variable'"),
        ("ask", "concurrency", 0, r"ask.concurrency: expected minimum 1, was 0"),
        ("ask", "chunk", {"bars": 1, "seconds": 2}, r"ask.chunk: expected"),
        ("ask", "pagng", {}, r"ask: expected no key \"pagng\""),
        ("read", "format", "yaml", r"read.format: expected one of \"json\""),
        ("read", "outputs", [], r"read.outputs: expected minItems 1"),
    ],
)
def test_wrong_protocol_is_refused_with_its_key(section: str, key: str, value: object, message: str) -> None:
    document = json.loads((FOLDER / "gateio_candles.json").read_text())
    document[section][key] = value
    with pytest.raises(ProtocolError, match=message):
        make_protocol(document)


def test_candle_without_close_is_refused() -> None:
    document = json.loads((FOLDER / "gateio_candles.json").read_text())
    del document["read"]["outputs"][0]["fields"]["close"]
    with pytest.raises(ProtocolError, match=r"read.outputs\[0\].fields: expected the key 'close'"):
        make_protocol(document)


def test_file_must_be_called_as_its_protocol(tmp_path: Path) -> None:
    (tmp_path / "other_candles.json").write_text((FOLDER / "gateio_candles.json").read_text())
    with pytest.raises(ProtocolError, match=r"other_candles.json: name: expected 'other_candles'"):
        load_protocol("other_candles", tmp_path)


@pytest.mark.parametrize("name", ["nothing_here", "../gateio_candles", "", "gateio_candles.json"])
def test_unknown_protocol_is_named_with_those_there_are(name: str) -> None:
    with pytest.raises(
        ProtocolError, match=r"expected one of alpaca_.*, gateio_candles, gateio_quotes, gateio_trades, "
    ):
        load_protocol(name)


@pytest.mark.parametrize("letter", [*"()[]-\u2212+kKmMbBtTeE0/:", "KM", "$-", "EUR"])
def test_what_changes_a_number_is_not_taken_out_of_it(letter: str) -> None:
    """(3.95) is -3.95 in accounting, 5.2M five millions, 1e5 a hundred thousand: without the mark another number."""
    document = json.loads((FOLDER / "html_table.json").read_text())
    document["read"]["outputs"][0]["fields"]["close"]["remove"] = letter
    with pytest.raises(ProtocolError, match=r"fields.close.remove: expected no .* it changes the number"):
        make_protocol(document)


def test_what_stands_beside_a_number_is_taken_out_of_it() -> None:
    document = json.loads((FOLDER / "html_table.json").read_text())
    fields = document["read"]["outputs"][0]["fields"]
    fields["close"]["remove"] = "$€%CHF*,' "
    fields["open_time"]["remove"] = "(-)"  # a date is no number
    assert make_protocol(document).read.outputs[0].fields["close"].remove == "$€%CHF*,' "
