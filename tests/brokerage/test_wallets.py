import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from strades_pipelines.brokerage.wallets import WalletsError, of_mode, read_wallets
from strades_pipelines.settings import PROJECT, settings

ENTRY = {
    "name": "one",
    "mode": "paper",
    "strategy": "sma_cross",
    "instruments": ["gateio:BTC_USDT"],
    "interval": "1m",
    "currency": "USDT",
    "cash": 1000.1,
}


def written(tmp_path: Path, *entries: dict[str, Any]) -> Path:
    path = tmp_path / "Wallets.json"
    path.write_text(json.dumps({"wallets": entries}))
    return path


def test_the_projects_own_file_is_valid() -> None:
    templates = read_wallets(PROJECT / "Wallets.json")
    strategies = {"sma_cross", "follow_prediction", "rsi_reversion", "keltner_breakout"}
    assert {template.strategy for template in of_mode(templates, "replay")} == strategies
    assert {template.parameters.get("model") for template in templates} == {None, "ridge", "hgb"}
    paper, other = of_mode(templates, "paper")
    assert (paper.cash, paper.fee_rate, paper.max_age) == (Decimal(10000), Decimal("0.001"), timedelta(minutes=15))
    assert paper.strategy != other.strategy


def test_money_is_exact_and_what_is_left_out_has_a_default(tmp_path: Path) -> None:
    (template,) = read_wallets(written(tmp_path, ENTRY))
    assert (template.cash, template.fee_rate, template.opened_at) == (Decimal("1000.1"), Decimal(0), None)
    assert template.max_age == timedelta(minutes=15)
    assert template.new_strategy().parameters == {"fast": 10, "slow": 30, "size": 1.0}


def test_an_opening_time_is_an_instant(tmp_path: Path) -> None:
    (template,) = read_wallets(written(tmp_path, ENTRY | {"opened_at": "2024-01-02T01:00:00+01:00"}))
    assert template.opened_at == datetime(2024, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mode": "papr"}, r"Wallets.json: wallets[0].mode: expected one of ['replay', 'paper', 'live'], was 'papr'"),
        ({"cash": "1000"}, "Wallets.json: wallets[0].cash: expected a number, was '1000'"),
        ({"cash": -1}, "Wallets.json: wallets[0].cash: expected at least 0, was -1"),
        ({"instruments": ["BTC"]}, "Wallets.json: wallets[0].instruments[0]: expected the form ^[^:]+:[^:]+$"),
        ({"wage": 1}, "Wallets.json: wallets[0]: Additional properties are not allowed ('wage' was unexpected)"),
        ({"interval": "1M"}, "Wallets.json: wallets[0].interval: expected the form ^[1-9][0-9]*[smhdw]$, was '1M'"),
        ({"opened_at": "2024-01-02T00:00:00"}, "Wallets.json: wallets[0].opened_at: expected ISO 8601 with an offset"),
    ],
)
def test_a_bad_key_is_refused_with_its_path(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(WalletsError) as refused:
        read_wallets(written(tmp_path, ENTRY | change))
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"strategy": "hodl"}, "strategy: expected one of adx_trend, aroon_trend"),
        ({"parameters": {"fsat": 1}}, "sma_cross: parameter fsat: expected one of"),
        ({"parameters": {"fast": "ten"}}, "sma_cross: parameter fast: expected int"),
        ({"cash": 0}, "cash: expected more than 0 USD"),
    ],
)
def test_what_stops_one_wallet_leaves_the_file_good_for_its_neighbours(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    bad, good = read_wallets(written(tmp_path, ENTRY | {"name": "bad"} | change, ENTRY))
    good.check()
    with pytest.raises(WalletsError) as refused:
        bad.check()
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(WalletsError, match=r"wallets\[0\]: expected the keys .*'strategy'"):
        read_wallets(written(tmp_path, {name: value for name, value in ENTRY.items() if name != "strategy"}))


def test_a_name_belongs_to_one_wallet(tmp_path: Path) -> None:
    with pytest.raises(WalletsError, match=r"wallets\[1\].name: expected a new name, was 'one' again"):
        read_wallets(written(tmp_path, ENTRY, ENTRY))


@pytest.mark.parametrize("text", ["{", "[]", '{"wallets": {}}'])
def test_a_file_of_another_shape_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "Wallets.json"
    path.write_text(text)
    with pytest.raises(WalletsError, match=r"Wallets\.json: .*expected"):
        read_wallets(path)


@pytest.mark.parametrize(
    ("setting", "confirmation", "message"),
    [
        (None, "one", "wallets[0].mode: live needs STRADES_LIVE_TRADING=true"),
        ("true", None, "wallets[0].confirm_live: expected 'one', was None"),
        ("true", "two", "wallets[0].confirm_live: expected 'one', was 'two'"),
        ("true", "one", "wallets[0].mode: there is no live broker yet"),
    ],
)
def test_live_trading_needs_two_confirmations_and_a_broker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str | None, confirmation: str | None, message: str
) -> None:
    monkeypatch.setenv("STRADES_LIVE_TRADING", setting or "")
    settings.cache_clear()
    entry = ENTRY | {"mode": "live"} | ({"confirm_live": confirmation} if confirmation else {})
    try:
        with pytest.raises(WalletsError) as refused:
            read_wallets(written(tmp_path, entry))
    finally:
        settings.cache_clear()
    assert message in str(refused.value)
