"""`--calendar NAME=...`: sessions, days a year, months and longer bars of each instrument."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from strades_pipelines.bars.bar_checks import iso
from strades_pipelines.research.backtest_inputs import DataChoice
from strades_pipelines.simulation.backtest import Bars, day_offset
from tests.research.bars import CLOSES, HEADER, Run, bar_file


def minutes(folder: Path, name: str, *spans: tuple[str, int]) -> str:
    """Minute bars from each time on, so many: 100, 101, 102 and so on throughout."""
    rows, price = [HEADER], 100
    for start, count in spans:
        for k in range(count):
            time = datetime.fromisoformat(start).replace(tzinfo=UTC) + timedelta(minutes=k)
            rows.append(f"{time:%Y-%m-%dT%H:%M:%SZ},{price},{price},{price},{price},1")
            price += 1
    (folder / f"{name}.csv").write_text("\n".join(rows) + "\n")
    return str(folder / f"{name}.csv")


def spans(bars: Bars) -> list[tuple[str, str]]:
    return [(iso(opened), iso(known)) for opened, known in zip(bars.open_time, bars.time, strict=True)]


def test_daily_bars_close_with_the_sessions_of_their_own_market(tmp_path: Path) -> None:
    days = [f"2020-07-{day:02}T00:00:00Z,1,1,1,1,1" for day in (1, 2, 3)]
    for name, rows in (("coin", days), ("stock", [days[0], days[1]])):
        (tmp_path / f"{name}.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    files = [str(tmp_path / "coin.csv"), str(tmp_path / "stock.csv")]
    for calendars in (["stock=XNYS"], ["XNYS", "coin=24/7"]):
        coin, stock = DataChoice(files, calendars=calendars).bars()
        assert spans(coin)[0] == ("2020-07-01T00:00:00Z", "2020-07-02T00:00:00Z")
        assert spans(stock) == [
            ("2020-07-01T13:30:00Z", "2020-07-01T20:00:00Z"),
            ("2020-07-02T13:30:00Z", "2020-07-02T20:00:00Z"),
        ]


def test_longer_bars_begin_at_the_open_of_a_session_and_end_with_it(tmp_path: Path) -> None:
    """New York from 13:30 on the 1st and 2nd of July 2020; on the second day nobody trades after 14:00.

    A day is known at its close at 20:00 all the same: until then a trade could have come.
    """
    file = minutes(tmp_path, "s", ("2020-07-01T13:30", 390), ("2020-07-02T13:30", 30))
    [hours] = DataChoice([file], calendars=["XNYS"], resample="1h").bars()
    assert spans(hours)[0] == ("2020-07-01T13:30:00Z", "2020-07-01T14:30:00Z")
    assert spans(hours)[6:] == [
        ("2020-07-01T19:30:00Z", "2020-07-01T20:00:00Z"),
        ("2020-07-02T13:30:00Z", "2020-07-02T14:30:00Z"),
    ]
    assert hours.prices[:, 6].tolist() == [460, 489, 460, 489, 30]
    [days] = DataChoice([file], calendars=["XNYS"], resample="1d").bars()
    assert [known for _, known in spans(days)] == ["2020-07-01T20:00:00Z", "2020-07-02T20:00:00Z"]
    [plain] = DataChoice([file], resample="1h").bars()
    assert spans(plain)[0] == ("2020-07-01T13:00:00Z", "2020-07-01T14:00:00Z")


def test_longer_bars_outside_of_sessions_leave_those_inside_alone(tmp_path: Path) -> None:
    """New York in winter, 14:30 to 21:00 UTC, from 14:00 to 23:00: 390 of 540 minutes are inside, 30 from 20:30 on.

    Outside whole lengths count from midnight there, 05:00 UTC, or from the close before: 13:00 and 21:00.
    """
    file = minutes(tmp_path, "s", ("2020-01-02T14:00", 540))
    [bars] = DataChoice([file], calendars=["XNYS"], resample="2h").bars()
    clocks = ["13:00", "14:30", "16:30", "18:30", "20:30", "21:00", "23:00"]
    times = [f"2020-01-02T{clock}:00Z" for clock in clocks]
    assert spans(bars) == list(pairwise(times))
    assert bars.prices[4].tolist() == [30, 120, 120, 120, 30, 120]
    (tmp_path / "t.csv").write_text("ts_utc,price,amount\n2020-01-02T20:45:00Z,1,7\n2020-01-02T21:45:00Z,2,8\n")
    [traded] = DataChoice(trades=[str(tmp_path / "t.csv")], every="2h", calendars=["XNYS"]).bars()
    assert spans(traded) == spans(bars)[-2:]
    assert traded.prices[3:].tolist() == [[1, 2], [7, 8]]


def test_no_bar_is_made_where_nobody_trades_outside_of_sessions(tmp_path: Path) -> None:
    """From 21:45 to 12:00 of the next day, seven hours after midnight in New York, there is no hour between."""
    (tmp_path / "t.csv").write_text("ts_utc,price,amount\n2020-01-02T21:45:00Z,1,7\n2020-01-03T12:00:00Z,2,8\n")
    [traded] = DataChoice(trades=[str(tmp_path / "t.csv")], every="1h", calendars=["XNYS"]).bars()
    assert spans(traded) == [
        ("2020-01-02T21:00:00Z", "2020-01-02T22:00:00Z"),
        ("2020-01-03T12:00:00Z", "2020-01-03T13:00:00Z"),
    ]


def test_a_longer_bar_is_known_no_sooner_than_the_last_of_its_bars(tmp_path: Path) -> None:
    """Bars of 13:30, 14:30, 15:30 and 16:30 lie across whole hours: two hours from 14:00 on hold what ends at 16:30."""
    hours = [f"2020-01-02T{13 + k}:30:00Z,{k + 1},{k + 1},{k + 1},{k + 1},1" for k in range(4)]
    (tmp_path / "s.csv").write_text("\n".join([HEADER, *hours]) + "\n")
    [bars] = DataChoice([str(tmp_path / "s.csv")], resample="2h").bars()
    times = [f"2020-01-02T{clock}:00Z" for clock in ("12:00", "14:30", "16:30", "18:00")]
    assert spans(bars) == list(pairwise(times))
    assert bars.prices[3].tolist() == [1, 3, 4]


def test_hours_behind_midnight_utc_are_of_the_day_of_the_venues_clocks(tmp_path: Path) -> None:
    """New York is five hours behind in winter: 00:29 UTC is of the evening before, without the split of the new day.

    00:30 is half an hour into a day of UTC, so that days end at least so much earlier in it.
    """
    file = minutes(tmp_path, "s", ("2020-01-02T23:30", 60), ("2020-01-03T14:00", 60))
    (tmp_path / "a.csv").write_text("symbol,date,kind,value\ns,2020-01-03,split,4\n")
    [bars] = DataChoice([file], calendars=["XNYS"], actions=str(tmp_path / "a.csv")).bars()
    assert bars.actions is not None
    assert [iso(time) for time in bars.actions.time.tolist()] == ["2020-01-03T14:01:00Z"]
    assert [str(day) for day in bars.sessions.astype("M8[us]").astype("M8[D]")] == ["2020-01-02"] * 60 + [
        "2020-01-03"
    ] * 60
    assert day_offset([bars]) == -30 * 60 * 1_000_000


def test_a_session_that_begins_the_evening_before_is_of_its_own_day_and_month(strades: Run, tmp_path: Path) -> None:
    """Sydney opens at 23:00 UTC in summer: the session of the 1st of November 2021 begins on the 31st of October."""
    file = minutes(tmp_path, "s", ("2021-10-28T23:00", 30), ("2021-10-31T23:00", 30), ("2021-11-01T23:00", 30))
    [bars] = DataChoice([file], calendars=["XASX"]).bars()
    assert [str(day) for day in bars.sessions.astype("M8[us]").astype("M8[D]")][::30] == [
        "2021-10-29",
        "2021-11-01",
        "2021-11-02",
    ]
    # The first bar is known a minute after 23:00, and what is known at midnight is of the day before.
    assert day_offset([bars]) == (3_600 - 60) * 1_000_000 + 1
    words = [f"--bars={file}", "--calendar", "s=XASX", "--mode", "events", "--json"]
    said = strades("backtest", "buy_and_hold", *words, "--size", "percent:100").document
    equity = dict(said["equity_curve"])
    october = equity["2021-10-28T23:30:00Z"] / 100_000 - 1.0
    assert said["months"] == {
        "2021": {"10": pytest.approx(october), "11": pytest.approx(said["equity"] / 100_000 / (1 + october) - 1.0)}
    }
    swept = strades("sweep", "buy_and_hold", *words, "--size", "percent:100", "--choices", "weight=1.0").document
    assert swept["sets"][0]["days"] == 3
    assert swept["sets"][0]["sharpe"] == pytest.approx(said["statistics"]["sharpe"], rel=1e-9)


@pytest.mark.parametrize(
    ("calendars", "told"),
    [
        (["XNYS", "XLON"], "--calendar: expected one for all, others as NAME=CALENDAR; found XNYS and XLON"),
        (["gold=XNYS"], "--calendar: expected one for one of wave, found gold=XNYS"),
        (["wave=XNYS", "wave=XLON"], "--calendar: expected one for one of wave, found wave=XNYS"),
        (["wave=XMOON"], "--calendar: expected a calendar of exchange_calendars, was 'XMOON'"),
    ],
)
def test_calendars_that_are_refused(calendars: list[str], told: str, strades: Run, tmp_path: Path) -> None:
    words = [word for calendar in calendars for word in ("--calendar", calendar)]
    answer = strades("backtest", "sma_cross", "--bars", bar_file(tmp_path, CLOSES[:30]), *words)
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert told in answer.err


def test_days_of_trades_are_whole_sessions(tmp_path: Path) -> None:
    trades = [f"2020-07-0{day}T14:00:0{k}Z,{100 + k},1" for day in (1, 2) for k in range(3)]
    (tmp_path / "t.csv").write_text("ts_utc,price,amount\n" + "\n".join(trades) + "\n")
    [days] = DataChoice(trades=[str(tmp_path / "t.csv")], every="1d", calendars=["XNYS"]).bars()
    assert spans(days)[0] == ("2020-07-01T13:30:00Z", "2020-07-01T20:00:00Z")
    assert days.prices.tolist() == [[100, 100], [102, 102], [100, 100], [102, 102], [3, 3]]
