"""`strades backtest`: its document, its table, its files, and every input that it refuses."""

import json
import math
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.research.bars import CLOSES, Run, bar_file

HOLD = """
from strades_pipelines.strategy.strategy import Strategy


class Hold(Strategy):
    size: float = 2.0

    def on_aggregate_bar(self, bar, account):
        account.target[bar.i] = self.size


class Later(Strategy):
    size: float = 2.0

    def on_aggregate_bar(self, bar, account):
        if bar.close > 100.0:
            account.target[bar.i] = self.size


class Limits(Strategy):
    def on_start(self, account):
        self.k = 0

    def on_aggregate_bar(self, bar, account):
        self.k += 1
        if self.k == 3:
            account.order(bar.i, 4.0, limit=bar.close - 0.5)
        if self.k == 4:
            account.order(bar.i, 1.0, limit=1.0)


class Worded(Strategy):
    def on_aggregate_bar(self, bar, account):
        account.target[bar.i] = float(len("x" * 3))


class Breaks(Strategy):
    def on_aggregate_bar(self, bar, account):
        account.target[bar.i] = 1.0 / (bar.close - bar.close)


class Unsized(Strategy):
    def on_aggregate_bar(self, bar, account):
        account.target[bar.i] = float("nan")


class Elsewhere(Strategy):
    def on_aggregate_bar(self, bar, account):
        account.target[7] = 1.0


class Orders(Strategy):
    def on_aggregate_bar(self, bar, account):
        account.order(bar.i, 1.0, limit=1.0)
"""


@pytest.fixture
def hold(tmp_path: Path) -> Path:
    path = tmp_path / "hold.py"
    path.write_text(HOLD)
    return path


def crossings() -> list[tuple[int, str, float]]:
    """(day, side, price) of holding one unit while the mean of 2 closes is above that of 5, filled at the next open."""
    fills, held = [], False
    for k in range(4, len(CLOSES) - 1):
        above = sum(CLOSES[k - 1 : k + 1]) / 2 > sum(CLOSES[k - 4 : k + 1]) / 5
        if above != held:
            fills.append((k + 1, "buy" if above else "sell", CLOSES[k]))
            held = above
    return fills


@pytest.mark.parametrize("mode", ["auto", "events", "compiled"])
def test_the_document_says_what_was_done(mode: str, strades: Run, tmp_path: Path) -> None:
    words = ["backtest", "sma_cross", "--bars", bar_file(tmp_path), "--param", "fast=2", "--param", "slow=5"]
    answer = strades(*words, "--cash", 1000, "--fee", "percent:1", "--mode", mode, "--json")
    assert (answer.code, answer.err) == (0, "")
    said = answer.document
    expected = crossings()
    assert len(expected) > 8
    day = [
        (datetime.fromisoformat(fill["time"]) - datetime.fromisoformat("2020-01-01T00:00Z")).days
        for fill in said["fills"]
    ]
    assert (
        list(zip(day, [f["side"] for f in said["fills"]], [f["price"] for f in said["fills"]], strict=True)) == expected
    )
    assert {(fill["instrument"], fill["quantity"]) for fill in said["fills"]} == {("wave", 1)}
    assert [fill["order"] for fill in said["fills"]] == list(range(1, len(expected) + 1))
    fees = [price * 0.01 for _, _, price in expected]
    assert [fill["fee"] for fill in said["fills"]] == pytest.approx(fees)
    cash = 1000.0 - sum(fees) + sum(price if side == "sell" else -price for _, side, price in expected)
    held = CLOSES[-1] if expected[-1][1] == "buy" else 0.0
    assert (said["cash"], said["equity"], said["fees"]) == pytest.approx((cash, cash + held, sum(fees)))
    assert said["equity_curve"][-1] == ["2020-04-30T00:00:00Z", pytest.approx(said["equity"])]
    assert len(said["equity_curve"]) == len(CLOSES)
    assert said["statistics"]["fills"] == len(expected)
    assert len(said["trades"]) == (len(expected) + 1) // 2
    assert said["trades"][0]["profit"] == pytest.approx(expected[1][2] - expected[0][2] - fees[0] - fees[1])
    assert {order["state"] for order in said["orders"]} == {"filled"}
    assert said["mode"] == ("events" if mode == "events" else "compiled")
    assert said["parameters"] == {"fast": 2, "slow": 5, "size": 1.0}
    assert said["best_case"] == {"equity": pytest.approx(said["equity"])}
    assert (said["not_compiled"], said["refused"]) == (None, {})
    assert 0 <= said["worth"]["psr"] <= 1
    assert set(said["worth"]["bands"]) == {"bootstrap", "shuffle"}


def test_positions_are_closed_at_the_end_with_fees(hold: Path, strades: Run, tmp_path: Path) -> None:
    words = ["backtest", f"{hold}:Hold", "--bars", bar_file(tmp_path), "--cash", 1000, "--json", "--close-at-end"]
    said = strades(*words, "--fee", "per-contract:3", "--fill", "next-open,amount=0.5").document
    first, last = said["fills"]
    assert (first["side"], first["price"], first["reason"]) == ("buy", CLOSES[0] + 0.5, None)
    assert (last["side"], last["price"], last["quantity"], last["reason"]) == (
        "sell",
        CLOSES[-1] - 0.5,
        2,
        "close_at_end",
    )
    assert last["time"] == "2020-04-30T00:00:00Z"
    assert (
        said["cash"] == said["equity"] == said["equity_curve"][-1][1] == 1000 + 2 * (CLOSES[-1] - CLOSES[0] - 1.0) - 12
    )
    assert [trade["is_open"] for trade in said["trades"]] == [False]


def test_resting_orders_have_a_best_case(hold: Path, strades: Run, tmp_path: Path) -> None:
    """Bought at 100 on the touch of the limit by the best path; the price never goes through it."""
    closes = [101.0, 101.0, 100.5, 100.25, 100.5, 103.0]
    said = strades("backtest", f"{hold}:Limits", "--bars", bar_file(tmp_path, closes), "--json").document
    assert said["fills"] == []
    assert said["equity"] == 100_000
    assert said["best_case"] == {"equity": 100_000 + 4 * (103.0 - 100.0)}
    assert [(order["state"], order["quantity"], order["filled"]) for order in said["orders"]] == [
        ("open", 4, 0),
        ("open", 1, 0),
    ]


def test_several_instruments_a_range_and_names(strades: Run, tmp_path: Path) -> None:
    one, two = bar_file(tmp_path), bar_file(tmp_path, CLOSES[::-1], "other.csv")
    words = ["backtest", "sma_cross", "--param", "fast=2", "--param", "slow=5", "--bars", one, "--bars", f"B={two}"]
    said = strades(*words, "--from", "2020-02-01", "--to", "2020-03-01", "--json").document
    assert {fill["instrument"] for fill in said["fills"]} == {"wave", "B"}
    times = [value[0] for value in said["equity_curve"]]
    assert (times[0], times[-1], len(times)) == ("2020-02-02T00:00:00Z", "2020-03-01T00:00:00Z", 29)


def test_the_table_says_why_it_was_not_compiled(hold: Path, strades: Run, tmp_path: Path) -> None:
    answer = strades("backtest", f"{hold}:Worded", "--bars", bar_file(tmp_path))
    assert answer.code == 0
    [line] = [line for line in answer.out.splitlines() if "not compiled" in line]
    assert f"{hold}:" in line
    assert "120 bars from 2020-01-01T00:00:00Z" in answer.out
    assert "events" in answer.out


def test_every_run_counts_as_a_trial_once(home: Path, strades: Run, tmp_path: Path) -> None:
    words = ["backtest", "sma_cross", "--bars", bar_file(tmp_path), "--json", "--param", "slow=5"]
    counted = [
        strades(*words, "--param", f"fast={fast}", *more).document["worth"]["trials"]
        for fast, more in ((2, []), (3, []), (2, []), (4, ["--no-ledger"]), (4, []))
    ]
    assert counted == [1, 2, 2, 1, 3]
    [file] = (home / "trials").glob("*.jsonl")
    assert len(file.read_text().splitlines()) == 3


def test_a_page_and_a_picture_are_written(strades: Run, tmp_path: Path) -> None:
    html, png = tmp_path / "sheet.html", tmp_path / "sheet.png"
    assert strades("backtest", "sma_cross", "--bars", bar_file(tmp_path), "--html", html, "--png", png).code == 0
    assert "sma_cross" in html.read_text()
    assert png.read_bytes().startswith(b"\x89PNG")


def test_hashes_change_with_what_they_are_of(hold: Path, strades: Run, tmp_path: Path) -> None:
    words = ["backtest", f"{hold}:Hold", "--json", "--bars"]
    first = strades(*words, bar_file(tmp_path)).document
    hold.write_text(HOLD.replace("size: float = 2.0", "size: float = 3.0"))
    second = strades(*words, bar_file(tmp_path, [*CLOSES[:-1], 101.0])).document
    assert first["data_hash"] != second["data_hash"]
    assert first["code_hash"] != second["code_hash"]
    third = strades(*words, bar_file(tmp_path, [*CLOSES[:-1], 101.0], "renamed.csv")).document
    assert (second["data_hash"], second["code_hash"]) == (third["data_hash"], third["code_hash"])


@pytest.mark.parametrize("mode", ["events", "compiled"])
@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ("max-order-units=1.5", "order_units"),
        ("max_position_notional=200", "position_notional"),  # 2 at 100.25 and more
        ("max-position-percent=0.2", "notional_over_equity"),
        ("restricted=wave", "restricted"),
    ],
)
def test_a_limit_of_wallets_holds_in_a_backtest(
    limit: str, reason: str, mode: str, hold: Path, strades: Run, tmp_path: Path
) -> None:
    words = "backtest", f"{hold}:Later", "--bars", bar_file(tmp_path), "--mode", mode, "--json"
    free, limited = strades(*words).document, strades(*words, "--limit", limit).document
    assert (len(free["fills"]), free["refused"], "limits" in free["options"]) == (1, {}, False)
    assert (limited["fills"], limited["refused"], limited["options"]["limits"]) == ([], {reason: 1}, [limit])


REFUSED = {
    "strategy": (["nothing"], "strategy: expected FILE.py:Class or one of"),
    "parameter": (["sma_cross", "--param", "fats=3"], "sma_cross: parameter fats: expected one of fast, slow, size"),
    "type": (["sma_cross", "--param", "fast=x"], "sma_cross: parameter fast: expected int, found 'x'"),
    "value": (["sma_cross", "--param", "fast=50"], "expected 1 <= fast < slow"),
    "fee": (["sma_cross", "--fee", "percnt:1"], "fee: expected one of none"),
    "fill": (["sma_cross", "--fill", "never"], "fill: 'never' is neither"),
    "size": (["sma_cross", "--size", "percentage:5"], "--size:"),
    "no rule of size": (
        ["sma_cross", "--size", "stop-loss:5"],
        "--size: size: expected one of fixed, percent, volatility,",
    ),
    "tactic": (["sma_cross", "--tactic", "stop-los:5"], "--tactic:"),
    "cash": (["sma_cross", "--cash", "-5"], "--cash: expected a number above 0, found -5"),
    "lot": (["sma_cross", "--lot", "-1"], "--lot: expected a number of 0 or more"),
    "limit": (["sma_cross", "--limit", "max-order=5"], "--limit: expected NAME=VALUE with one of"),
    "limit's number": (["sma_cross", "--limit", "max-net-notional=-1"], "max_net_notional: expected a number above 0"),
    "limit twice": (
        ["sma_cross", "--leverage", "1", "--limit", "max-leverage=1"],
        "--limit: max_leverage is given twice",
    ),
    "restricted": (["sma_cross", "--limit", "restricted=gold"], "restricted: expected one of wave, found 'gold'"),
    "mode": (["sma_cross", "--mode", "fast"], "--mode: expected one of auto, events, compiled"),
    "range": (["sma_cross", "--from", "2020-02-01", "--to", "2020-02-01"], "--to: expected a time after --from"),
    "time": (["sma_cross", "--from", "soon"], "expected a day or time such as 2012-01-31"),
    "nothing left": (["sma_cross", "--from", "2021-01-01"], "expected bars in the range, found bars from 2020-01-01"),
    "calendar": (["sma_cross", "--calendar", "XMOON"], "--calendar: expected a calendar of exchange_calendars"),
    "factors": (["sma_cross", "--adjust", "gone.csv"], "gone.csv: expected a readable factor file"),
    "interval": (["sma_cross", "--interval", "1 day"], "--interval: expected a number and one of s, m, h, d, w"),
    "page": (["sma_cross", "--html", "gone/sheet.html"], "gone/sheet.html: expected a folder to write into"),
    "two sources": (["sma_cross", "--instrument", "X:Y"], "expected --bars FILE or --instrument"),
    "another word": (["sma_cross", "--bras", "x"], "No such option: --bras"),
}


@pytest.mark.parametrize(("words", "told"), REFUSED.values(), ids=REFUSED)
def test_bad_words_are_refused_in_one_line(
    words: list[str], told: str, strades: Run, tmp_path: Path, home: Path
) -> None:
    answer = strades("backtest", *words, "--bars", bar_file(tmp_path), "--json")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("strades: ")
    assert told in answer.err
    assert answer.err.count("\n") == 1
    assert not (home / "trials").exists()


LINES = {"division": "1.0 / (bar.close", "beyond": "target[7]"}
STRATEGIES = {
    "compiled only": ("Worded", ["--mode", "compiled"], "--mode compiled: {file}:"),
    "breaks": (
        "Breaks",
        ["--mode", "events"],
        "{file}:{division}: strategy Breaks at 2020-01-02T00:00:00+00:00: ZeroDivisionError",
    ),
    "breaks compiled": (
        "Breaks",
        ["--mode", "compiled"],
        "strategy Breaks at 2020-01-02T00:00:00+00:00: ZeroDivisionError",
    ),
    "unsized": (
        "Unsized",
        [],
        "Unsized: target of wave at 2020-01-02T00:00:00Z: expected a finite number of units, found nan",
    ),
    "unknown instrument": (
        "Elsewhere",
        ["--mode", "events"],
        "{file}:{beyond}: strategy Elsewhere at 2020-01-02T00:00:00+00:00: IndexError",
    ),
    "too many orders": ("Orders", [], "the buffer of orders is full"),
}


@pytest.mark.parametrize(("name", "words", "told"), STRATEGIES.values(), ids=STRATEGIES)
def test_what_a_strategy_does_wrong_is_told_in_one_line(
    name: str, words: list[str], told: str, hold: Path, strades: Run, tmp_path: Path, home: Path
) -> None:
    page = tmp_path / "sheet.html"
    answer = strades("backtest", f"{hold}:{name}", *words, "--bars", bar_file(tmp_path), "--json", "--html", page)
    assert (answer.code, answer.out) == (2, "")
    lines = {mark: 1 + HOLD[: HOLD.index(text)].count("\n") for mark, text in LINES.items()}
    assert told.format(file=hold, **lines) in answer.err
    assert answer.err.count("\n") == 1
    assert not page.exists()
    assert not (home / "trials").exists()


def test_two_files_of_one_name_need_names(strades: Run, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    words = ["backtest", "sma_cross", "--bars", bar_file(tmp_path), "--bars", bar_file(tmp_path / "more")]
    answer = strades(*words)
    assert answer.code == 2
    assert "found 'wave' twice; write --bars NAME=FILE" in answer.err


def test_numbers_that_are_none_are_null(strades: Run, tmp_path: Path) -> None:
    answer = strades("backtest", "sma_cross", "--bars", bar_file(tmp_path, [100.0] * 40), "--json")
    said = json.loads(answer.out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert said["statistics"]["sharpe"] is None
    assert not any(isinstance(value, float) and math.isnan(value) for value in said["statistics"].values())


def test_daily_and_weekly_files_together_are_valued_day_by_day(strades: Run, hold: Path, tmp_path: Path) -> None:
    daily, weekly = bar_file(tmp_path), tmp_path / "weekly.csv"
    monday = datetime.fromisoformat("2020-01-06T00:00:00Z")
    starts = [(monday + timedelta(weeks=k)).strftime("%Y-%m-%dT00:00:00Z") for k in range(15)]
    weekly.write_text("ts_utc,open,high,low,close,volume\n" + "".join(f"{one},50,51,49,50,10\n" for one in starts))
    words = ["backtest", f"{hold}:Hold", "--bars", weekly, "--bars", daily, "--mode", "events", "--json"]
    answer = strades(*words, "--cash", 1000)
    assert (answer.code, answer.err) == (0, "")
    said, alone = answer.document, strades(*words[:2], *words[4:], "--cash", 1000).document
    # The weekly instrument never moves, so each month is that of the daily one.
    assert said["months"] == alone["months"]
    assert said["equity_curve"] == alone["equity_curve"]
    assert said["statistics"]["periods_per_year"] == 365.0


def test_what_the_first_valuation_lost_counts_in_what_the_run_is_worth(
    strades: Run, hold: Path, tmp_path: Path
) -> None:
    words = ["--bars", bar_file(tmp_path), "--fee", "percent:10", "--fill", "same-close", "--mode", "events", "--json"]
    said = strades("backtest", f"{hold}:Hold", *words, "--cash", 1000).document
    assert said["equity_curve"][0][1] < 1000.0
    assert said["worth"]["observations"] == len(said["equity_curve"])
    assert said["worth"]["bands"]["bootstrap"]["growth"]["actual"] == pytest.approx(said["equity"] / 1000)
