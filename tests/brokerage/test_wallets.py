import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.brokerage.wallets import WalletsError, read_wallets
from strades_pipelines.datamanager.checked_json import SCHEMAS
from strades_pipelines.market.limits import LIMITS
from strades_pipelines.market.wallet_limits import parse_limits
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


SMALL, LARGE = ("5e-324", "-0.0", "0", f"0.{'1' * 100}"), ("1e12", "1e13", f"1{'0' * 4000}", f"1{'0' * 5000}")
numbers = st.sampled_from(
    ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e99999999999999999999", "true", "null", *SMALL, *LARGE]
)
plain_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
raw_values = (
    numbers
    | plain_values.map(json.dumps)
    | st.integers(1, 500).map(lambda depth: "[" * depth + "]" * depth)
    | st.just('{"a": 1, "a": 2}')
    | numbers.map(lambda number: f'{{"fast": {number}, "size": {number}}}')
)


def written(tmp_path: Path, *entries: dict[str, Any]) -> Path:
    path = tmp_path / "Wallets.json"
    path.write_text(json.dumps({"wallets": entries}))
    return path


def test_the_projects_own_file_is_valid() -> None:
    wallets = read_wallets(PROJECT / "Wallets.json")
    assert not wallets.faults
    templates = wallets.templates
    strategies = {"sma_cross", "follow_prediction", "rsi_reversion", "keltner_breakout"}
    assert {template.strategy for template in wallets.of_modes(["replay"]).templates} == strategies
    assert {template.parameters.get("model") for template in templates} == {None, "ridge", "hgb"}
    paper = wallets.of_modes(["paper"]).templates
    assert {template.interval for template in paper} == {"1m", "1d"}
    assert len({template.strategy for template in paper}) == len(paper)
    assert {(one.cash, one.fee_rate, one.max_age) for one in paper} == {
        (Decimal(10000), Decimal("0.001"), timedelta(minutes=15))
    }


def test_money_is_exact_and_what_is_left_out_has_a_default(tmp_path: Path) -> None:
    (template,) = read_wallets(written(tmp_path, ENTRY)).templates
    assert (template.cash, template.fee_rate, template.opened_at) == (Decimal("1000.1"), Decimal(0), None)
    assert template.max_age == timedelta(minutes=15)
    assert template.new_strategy().parameters == {"fast": 10, "slow": 30, "size": 1.0}


def test_an_opening_time_is_an_instant(tmp_path: Path) -> None:
    (template,) = read_wallets(written(tmp_path, ENTRY | {"opened_at": "2024-01-02T01:00:00+01:00"})).templates
    assert template.opened_at == datetime(2024, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mode": "papr"}, 'mode: expected one of "replay", "paper", "live", was "papr"'),
        ({"cash": "1000"}, 'cash: expected number, was "1000"'),
        ({"cash": -1}, "cash: expected minimum 0, was -1"),
        ({"cash": 10**13}, "cash: expected maximum 1000000000000.0, was 1"),
        ({"fee_percent": 101}, "fee_percent: expected maximum 100, was 101"),
        ({"max_decision_age_minutes": 1e300}, "max_decision_age_minutes: expected maximum 525600"),
        ({"instruments": ["BTC"]}, 'instruments[0]: expected VENUE:SYMBOL, was "BTC"'),
        ({"name": "x" * 10_000}, "name: expected a name of at most 64 small letters"),
        ({"name": "x\n"}, "name: expected printable text"),
        ({"currency": "USD'; drop table x;--"}, "currency: expected a currency of 2 to 12 capital letters and digits"),
        ({"parameters": {"size": 1e300}}, "parameters.size: expected maximum"),
        ({"parameters": {"size": None}}, "parameters.size: expected number or string or boolean, was null"),
        ({"wage": 1}, 'expected no key "wage", was there; remove it or correct its name'),
        ({"interval": "1M"}, 'interval: expected a length of bars such as 1m, 1h, 1d, was "1M"'),
        ({"opened_at": "2024-01-02T00:00:00"}, "opened_at: expected ISO 8601 with an offset"),
        ({"opened_at": "0001-01-01T00:00:00+14:00"}, "opened_at: expected ISO 8601 with an offset"),
        ({"opened_at": ""}, "opened_at: expected ISO 8601 with an offset"),
        (
            {"limits": {"max_order_unit": 1}},
            'limits: expected no key "max_order_unit", was there; remove it or correct',
        ),
        ({"limits": {"max_order_units": 0}}, "limits.max_order_units: expected exclusiveMinimum 0, was 0"),
        ({"limits": {"max_order_units": "1"}}, 'limits.max_order_units: expected number, was "1"'),
        ({"limits": {"max_orders_per_minute": 1.5}}, "limits.max_orders_per_minute: expected integer, was "),
        ({"limits": {"max_leverage": 2}}, "limits.max_leverage: expected maximum 1, was 2"),
        ({"limits": {"long_only": False}}, "limits.long_only: expected one of true, was false"),
        ({"limits": []}, "limits: expected object, was []"),
        (
            {"mode": "replay", "limits": {"chosen_only": True}},
            "limits.chosen_only: expected a wallet that trades: a replay has no choice",
        ),
        (
            {"limits": {"restricted": ["gateio:BTC"]}},
            "limits.restricted[0]: expected one of gateio:BTC_USDT, was 'gate",
        ),
    ],
)
def test_a_bad_key_stops_its_wallet_with_file_place_and_key(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    wallets = read_wallets(written(tmp_path, ENTRY | {"name": "bad"} | change, ENTRY))
    assert [template.name for template in wallets.templates] == ["one"]
    ((fault,),) = [wallets.faults]
    assert fault.wallet == ("wallets[0]" if "name" in change else "bad")
    assert fault.message.startswith(
        f"Wallets.json: wallets[0]{'' if 'wage' in change else '.'}{': ' if 'wage' in change else ''}{message}"
    )
    assert "\n" not in fault.message


def test_a_byte_order_mark_is_read_over(tmp_path: Path) -> None:
    path = written(tmp_path, ENTRY)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert not read_wallets(path).faults


@given(data=st.data())
def test_any_value_anywhere_is_a_wallet_or_a_fault_that_names_it(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = {**ENTRY, "fee_percent": 0.1, "max_decision_age_minutes": 15, "parameters": {"fast": 10, "size": 1.5}}
    key = data.draw(st.sampled_from([*whole, "opened_at", "confirm_live", "limits", "other"]))
    raw = data.draw(raw_values)
    entry = json.dumps({name: value for name, value in whole.items() if name != key} | {key: "@"})
    text = f'{{"wallets": [{entry.replace(chr(34) + "@" + chr(34), raw)}, {json.dumps(ENTRY | {"name": "two"})}]}}'
    path = tmp_path_factory.getbasetemp() / "Wallets.json"
    path.write_text(text)
    wallets = read_wallets(path)
    assert "two" in {template.name for template in wallets.templates}
    assert len(wallets.templates) + len(wallets.faults) == 2
    for fault in wallets.faults:
        assert fault.message.startswith("Wallets.json: wallets[0]")
        assert fault.message.isprintable()
    for template in wallets.templates:
        assert isinstance(template.name, str)
        assert template.cash.is_finite()
        assert 0 <= template.fee_rate <= 1
        assert timedelta(0) < template.max_age <= timedelta(days=366)
        with suppress(WalletsError):
            template.check()


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
    bad, good = read_wallets(written(tmp_path, ENTRY | {"name": "bad"} | change, ENTRY)).templates
    good.check()
    with pytest.raises(WalletsError) as refused:
        bad.check()
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


def test_limits_are_exact_and_what_is_left_out_is_as_always(tmp_path: Path) -> None:
    """A replay of other limits has another name; with the same ones as ever it keeps the one it had."""
    limits = {"price_collar_percent": 2.5, "max_position_units": 10, "restricted": ["gateio:BTC_USDT"]}
    plain_one, limited = read_wallets(written(tmp_path, ENTRY, ENTRY | {"name": "two", "limits": limits})).templates
    assert plain_one.limits.written == {}
    assert [plain_one.limits.numbers.max_weight, plain_one.limits.numbers.leverage] == [1, 1]
    assert [limited.limits.numbers.price_collar, limited.limits.numbers.max_position_units] == [Decimal("0.025"), 10]
    assert limited.limits.restricted == ("gateio:BTC_USDT",)
    again = parse_limits(json.loads(json.dumps(limited.limits.written)))
    assert again.numbers == limited.limits.numbers


def test_the_schema_has_the_limits_of_the_table() -> None:
    schema = json.loads((SCHEMAS / "wallet.schema.json").read_text())
    assert list(schema["properties"]["limits"]["properties"]) == [limit.name for limit in LIMITS]


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    entry = {name: value for name, value in ENTRY.items() if name != "strategy"}
    (fault,) = read_wallets(written(tmp_path, entry)).faults
    assert fault.message == "Wallets.json: wallets[0]: expected the key 'strategy' (or 'strategies'), was missing"


def several(*strategies: dict[str, Any], **change: Any) -> dict[str, Any]:
    """An entry with strategies in the place of its one."""
    entry = {name: value for name, value in ENTRY.items() if name != "strategy"}
    return entry | {"strategies": list(strategies)} | change


HALF = {"name": "half", "strategy": "sma_cross", "capital_percent": 50}


def test_an_entry_may_list_several_strategies(tmp_path: Path) -> None:
    other = {**HALF, "name": "other", "capital_percent": 12.5, "parameters": {"fast": 3}}
    [template] = read_wallets(written(tmp_path, several(HALF, other))).templates
    assert [sleeve.name for sleeve in template.sleeves] == ["half", "other"]
    assert [sleeve.capital_percent for sleeve in template.sleeves] == [50, Decimal("12.5")]
    assert [sleeve.instruments for sleeve in template.sleeves] == [template.instruments] * 2
    assert template.sleeves[1].new_strategy().parameters["fast"] == 3
    template.check()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (several(HALF, strategy="sma_cross"), ".strategy: expected in each of `strategies`, was beside them"),
        (several(HALF, parameters={}), ".parameters: expected in each of `strategies`, was beside them"),
        (several(HALF, HALF), ".strategies[1].name: expected a name of its own, was 'half'"),
        (several({**HALF, "name": "person"}), ".strategies[0].name: expected a name of its own, was 'person'"),
        (several({**HALF, "instruments": ["x:Y"]}), ".strategies[0].instruments: expected instruments of the wallet"),
        (several(HALF, {**HALF, "name": "b", "capital_percent": 50.1}), ".strategies: expected at most 100 capital"),
        (several({**HALF, "capital_percent": 0}), ".strategies[0].capital_percent: expected exclusiveMinimum 0"),
        (several({"name": "half", "strategy": "sma_cross"}), ".strategies[0]: expected the key 'capital_percent'"),
        (several(), ".strategies: expected minItems 1"),
    ],
)
def test_strategies_that_do_not_go_together_stop_their_wallet(
    tmp_path: Path, entry: dict[str, Any], message: str
) -> None:
    (fault,) = read_wallets(written(tmp_path, entry)).faults
    assert fault.message.startswith(f"Wallets.json: wallets[0]{message}")


def test_each_strategy_of_several_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    bad = [{**HALF, "name": name, "strategy": "nope", "capital_percent": 10} for name in ("b", "c")]
    [template] = read_wallets(written(tmp_path, several(HALF, *bad))).templates
    with pytest.raises(WalletsError, match=r"^strategy b: strategy: .*nope.*; strategy c: strategy: .*nope"):
        template.check()
    assert [sleeve.name for sleeve in template.usable_part().sleeves] == ["half"]


def test_a_name_belongs_to_the_first_wallet_that_has_it(tmp_path: Path) -> None:
    wallets = read_wallets(written(tmp_path, ENTRY, ENTRY | {"cash": 5}))
    assert [template.cash for template in wallets.templates] == [Decimal("1000.1")]
    (fault,) = wallets.faults
    assert fault.message == "Wallets.json: wallets[1].name: expected a new name, was 'one' again"


def test_a_fault_is_told_where_its_mode_trades(tmp_path: Path) -> None:
    faulty = [ENTRY | {"name": mode, "mode": mode, "cash": -1} for mode in ("replay", "paper", "unheard")]
    found = read_wallets(written(tmp_path, *faulty)).of_modes(["paper"])
    assert [fault.wallet for fault in found.faults] == ["paper", "unheard"]


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"wallets": {}}', '{"wallets": [], "wallets": []}', "[" * 100_000, "NaN", "\xff"]
)
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
        ("true", "one", "wallets[0].broker: live needs a broker that trades with money, was 'paper'"),
    ],
)
def test_live_trading_needs_two_confirmations_and_a_broker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str | None, confirmation: str | None, message: str
) -> None:
    monkeypatch.setenv("STRADES_LIVE_TRADING", setting or "")
    settings.cache_clear()
    entry = ENTRY | {"mode": "live"} | ({"confirm_live": confirmation} if confirmation else {})
    try:
        (fault,) = read_wallets(written(tmp_path, entry)).faults
    finally:
        settings.cache_clear()
    assert message in fault.message
