"""`--trades`: bars made of trades, and every row that is refused."""

import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from strades_pipelines.bars.action_files import read_actions
from strades_pipelines.bars.bar_checks import iso
from strades_pipelines.bars.bar_files import Reading
from strades_pipelines.bars.trade_bars import Trades, complete_groups, parse_every
from tests.research.bars import Run

HEADER = "ts_utc,price,amount\n"
ROWS = (
    "2020-01-01T00:00:10Z,100,1\n2020-01-01T00:00:10Z,103,2\n2020-01-01T00:00:59.9Z,99,1\n"
    "2020-01-01T00:01:00Z,101,4\n2020-01-01T00:04:30Z,102,0.5\n"
)


@pytest.fixture
def trades(tmp_path: Path) -> Path:
    (tmp_path / "t.csv").write_text(HEADER + ROWS)
    return tmp_path / "t.csv"


def rows(path: Path, every: str) -> list[tuple[str, str, list[float]]]:
    """(open, when it is known, prices) of each bar."""
    bars = Reading().trade_bars(path, parse_every(every))
    return [
        (iso(opened), iso(known), prices)
        for opened, known, prices in zip(bars.open_time, bars.time, bars.prices.T.tolist(), strict=True)
    ]


def test_krakens_whole_minutes_equal_its_own_bars(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "payloads" / "kraken" / "rest_nautilus"
    recorded = json.loads((folder / "http_trades.json").read_text(), parse_float=Decimal)["result"]["XBTUSDT"]
    lines = [f"{iso(int(time * 1_000_000))},{price},{amount}" for price, amount, time, *_ in recorded]
    (tmp_path / "xbt.csv").write_text(HEADER + "\n".join(lines) + "\n")
    bars = Reading().trade_bars(tmp_path / "xbt.csv", parse_every("1m"))
    first, last = (int(recorded[k][2]) // 60 * 60 for k in (0, -1))
    own = json.loads((folder / "http_ohlc.json").read_text())["result"]["XBTUSDT"]
    own = [row for row in own if first < row[0] < last]  # of the first and the last the trades are not all there
    assert len(own) == 409
    made = dict(zip((bars.open_time // 1_000_000).tolist(), bars.prices.T, strict=True))
    for time, opened, high, low, close, _, volume, _ in own:
        np.testing.assert_allclose(made[time], [float(x) for x in (opened, high, low, close, volume)], rtol=1e-12)
    assert np.array_equal(bars.time, bars.open_time + 60_000_000)


def test_bars_of_time_have_the_last_price_where_nobody_traded(trades: Path) -> None:
    assert rows(trades, "1m") == [
        ("2020-01-01T00:00:00Z", "2020-01-01T00:01:00Z", [100, 103, 99, 99, 4]),
        ("2020-01-01T00:01:00Z", "2020-01-01T00:02:00Z", [101, 101, 101, 101, 4]),
        ("2020-01-01T00:02:00Z", "2020-01-01T00:03:00Z", [101, 101, 101, 101, 0]),
        ("2020-01-01T00:03:00Z", "2020-01-01T00:04:00Z", [101, 101, 101, 101, 0]),
        ("2020-01-01T00:04:00Z", "2020-01-01T00:05:00Z", [102, 102, 102, 102, 0.5]),
    ]
    assert [opened[-3:] for opened, _, _ in rows(trades, "1m,skip-empty")] == ["00Z"] * 3


@pytest.mark.parametrize(
    ("every", "volumes", "known"),
    [
        ("2ticks", [3, 5], ["2020-01-01T00:00:10Z", "2020-01-01T00:01:00Z"]),
        # Two trades of one instant, each a bar: the second is known a microsecond later.
        ("1ticks", [1, 2, 1, 4, 0.5], ["2020-01-01T00:00:10Z", "2020-01-01T00:00:10.000001Z"]),
        ("3volume", [3, 5], ["2020-01-01T00:00:10Z", "2020-01-01T00:01:00Z"]),
        ("300notional", [3, 5], ["2020-01-01T00:00:10Z", "2020-01-01T00:01:00Z"]),
    ],
)
def test_bars_of_trades_are_whole_ones(every: str, volumes: list[float], known: list[str], trades: Path) -> None:
    made = rows(trades, every)
    assert [prices[4] for _, _, prices in made] == volumes
    assert [time for _, time, _ in made][:2] == known


def test_a_backtest_runs_on_them_with_splits(trades: Path, strades: Run, tmp_path: Path) -> None:
    """Bought at the open of the second minute; the trades of the next day are in new units."""
    with trades.open("a") as file:
        file.write("2020-01-02T00:00:05Z,51,2\n2020-01-02T00:01:05Z,52,2\n")
    (tmp_path / "a.csv").write_text("symbol,date,kind,value\nt,2020-01-02,split,2\n")
    words = ["--trades", trades, "--every", "1h,skip-empty", "--actions", tmp_path / "a.csv"]
    said = strades("backtest", "buy_and_hold", *words, "--cash", 1000, "--mode", "events", "--json").document
    assert said["equity_curve"][0] == ["2020-01-01T01:00:00Z", 1000.0]
    [fill] = said["fills"]
    assert (fill["time"], fill["price"]) == ("2020-01-02T00:00:00Z", 51.0)


def test_what_happens_behind_the_last_whole_bar_is_in_none(trades: Path, tmp_path: Path) -> None:
    """Five trades make a bar of three; the next day's split and dividend are before trades 4 and 5, which make none."""
    traded = [("01", 8), ("01", 8), ("01", 8), ("02", 3), ("02", 3)]
    lines = [f"2020-01-{day}T00:00:0{k}Z,{price},1" for k, (day, price) in enumerate(traded)]
    trades.write_text(HEADER + "\n".join(lines) + "\n")
    actions = "symbol,date,kind,value\nt,2020-01-02,split,2\nt,2020-01-02,dividend,1\n"
    (tmp_path / "a.csv").write_text(actions)
    bars = Reading().trade_bars(trades, parse_every("3ticks"), "t", read_actions(tmp_path / "a.csv"))
    assert bars.prices[:, 0].tolist() == [8, 8, 8, 8, 3]
    assert bars.actions is not None
    assert len(bars.actions) == 0


REFUSED = {
    "empty": ("", "1m", "t.csv: expected the columns ts_utc,price,amount and trades, found an empty file"),
    "header alone": (HEADER, "1m", "t.csv: expected trades below the header, found none"),
    "header": ("ts_utc,price,size\n" + ROWS, "1m", "t.csv: row 1: amount: expected one column of this name"),
    "semicolons": ((HEADER + ROWS).replace(",", ";"), "1m", "t.csv: row 1: ts_utc: expected one column"),
    "nan": (HEADER + "2020-01-01T00:00:10Z,nan,1\n", "1m", "t.csv: row 2: price: expected a price above 0, found nan"),
    "negative": (HEADER + "2020-01-01T00:00:10Z,1,-1\n", "1m", "row 2: amount: expected an amount of 0 or more"),
    "word": (HEADER + "2020-01-01T00:00:10Z,one,1\n", "1m", "t.csv: row 2: price: expected a number, found 'one'"),
    "backwards": (HEADER + ROWS + ROWS, "1m", "row 7: ts_utc: expected a time not before the one of the row before"),
    "time": (HEADER + "1577836800,1,1\n", "1m", "row 2: ts_utc: expected a time in UTC such as"),
    "interval": (HEADER + ROWS, "1 minute", "--every: expected 1m, 4h or another interval, 1000ticks"),
    "no ticks": (HEADER + ROWS, "0ticks", "--every: expected 1m"),
    "parts of ticks": (HEADER + ROWS, "1.5ticks", "--every: expected 1m"),
    "too few": (HEADER + ROWS, "6ticks", "t.csv: --every: expected 6 ticks or more, found 5"),
    "too many": (
        HEADER + "1990-01-01T00:00:00Z,1,1\n2020-01-01T00:00:00Z,1,1\n",
        "1s",
        "--every: expected at most 50,000,000 bars, found 946,684,801",
    ),
}


@pytest.mark.parametrize(("text", "every", "told"), REFUSED.values(), ids=REFUSED)
def test_bad_trades_are_refused_in_one_line(text: str, every: str, told: str, trades: Path, strades: Run) -> None:
    trades.write_text(text)
    answer = strades("backtest", "buy_and_hold", "--trades", trades, "--every", every, "--json")
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert told in answer.err


def test_a_byte_order_mark_and_crlf_are_taken(trades: Path) -> None:
    expected = rows(trades, "1m")
    trades.write_bytes(b"\xef\xbb\xbf" + (HEADER + ROWS).replace("\n", "\r\n").encode())
    assert rows(trades, "1m") == expected


def test_trades_and_every_go_together(trades: Path, strades: Run) -> None:
    for words in (["--trades", trades], ["--bars", trades, "--every", "1m"]):
        answer = strades("backtest", "buy_and_hold", *words)
        assert (answer.code, answer.err) == (2, "strades: expected --trades FILE and --every, found one of them\n")
    answer = strades("backtest", "buy_and_hold", "--trades", trades, "--every", "1m", "--resample", "5m")
    assert (answer.code, "--every says how long they are" in answer.err) == (2, True)


def test_a_bar_smaller_than_the_spacing_of_the_total_is_one_trade() -> None:
    """Floats near 1e17 are 16 apart, so that 1e17 + 1 is 1e17: each trade of 1 behind it fills a bar of 1."""
    trades = Trades(np.arange(3), np.full(3, 100.0), np.array([1e17, 1.0, 1.0]))
    first, end, _ = complete_groups(Path("t.csv"), trades, parse_every("1volume"))
    assert (first.tolist(), end) == ([0, 1, 2], 3)


def test_a_bar_that_is_not_full_is_closed_by_midnight(trades: Path) -> None:
    """Five trades make two bars of two; the fifth has one of its own, and the next day begins anew."""
    with trades.open("a") as file:
        file.write("2020-01-03T00:00:00Z,51,2\n2020-01-03T00:00:01Z,52,2\n2020-01-03T00:00:02Z,53,2\n")
    made = [(known, prices[3:]) for _, known, prices in rows(trades, "2ticks")]
    assert made[2:] == [("2020-01-02T00:00:00Z", [102, 0.5]), ("2020-01-03T00:00:01Z", [52, 4])]
