"""`--currency` and `--rates`: instruments in another currency than the account, converted at the rate known then."""

from pathlib import Path

import pytest

from tests.research.bars import Run, bar_file

HEADER = "ts_utc,base,quote,rate\n"
# Known at noon of a day: the open of the day still has the rate before, its close has the new one.
NOON = [(2, 1.25), (3, 1.5), (4, 2.0), (5, 1.6)]
RATES = (
    HEADER
    + "2019-12-31T12:00:00Z,EUR,USD,1.0\n"
    + "".join(f"2020-01-0{day}T12:00:00+00:00,EUR,USD,{rate}\n" for day, rate in NOON)
)
EURO = [10.0, 10.0, 11.0, 12.0, 12.0, 12.0]
DOLLAR = [5.0, 5.0, 5.0, 6.0, 6.0, 7.0]
SWAP = """
from strades_pipelines.strategy.strategy import Strategy


class Swap(Strategy):
    def on_start(self, account):
        self.k = 0

    def on_timer(self, time, account):
        self.k += 1
        if self.k == 1:
            account.target[0] = 100.0
            account.target[1] = 10.0
        if self.k == 4:
            account.target[0] = 0.0
"""


@pytest.fixture
def words(tmp_path: Path) -> list[object]:
    (tmp_path / "swap.py").write_text(SWAP)
    (tmp_path / "rates.csv").write_text(RATES)
    files = [f"--bars=E={bar_file(tmp_path, EURO, 'e.csv')}", f"--bars=D={bar_file(tmp_path, DOLLAR, 'd.csv')}"]
    return [*files, "--currency=USD", "--currency=E=EUR", "--rates", tmp_path / "rates.csv", "--json"]


@pytest.mark.parametrize("mode", ["events", "compiled"])
def test_profit_and_fees_in_the_accounts_currency(mode: str, words: list[object], strades: Run, tmp_path: Path) -> None:
    """100 E bought on the 2nd at 10 EUR of 1.0 (known the day before), sold on the 5th at 12 of 2.0; a fee of 1 %."""
    terms = ["--cash", 5000, "--fee", "percent:1", "--mode", mode]
    said = strades("backtest", f"{tmp_path}/swap.py:Swap", *words, *terms).document
    bought, sold, other = 100 * 10 * 1.0, 100 * 12 * 2.0, 10 * 5.0
    fees = 0.01 * (bought + sold + other)
    assert [(fill["instrument"], fill["rate"], fill["fee"]) for fill in said["fills"]] == [
        ("E", 1.0, 10.0),
        ("D", 1.0, 0.5),
        ("E", 2.0, 12.0),
    ]
    assert said["fees"] == pytest.approx(fees, rel=1e-12)
    assert said["cash"] == pytest.approx(5000 - bought + sold - other - fees, rel=1e-12)
    assert said["equity"] == pytest.approx(said["cash"] + 10 * 7.0, rel=1e-12)
    held = [0, 100, 100, 100, 0, 0]
    known = [1.0, 1.25, 1.5, 2.0, 1.6, 1.6]
    cash = [5000.0, *[5000 - 1.01 * (bought + other)] * 3, *[said["cash"]] * 2]
    expected = [
        c + h * e * r + (10 * d if k else 0)
        for k, (c, h, e, r, d) in enumerate(zip(cash, held, EURO, known, DOLLAR, strict=True))
    ]
    assert [value for _, value in said["equity_curve"]] == pytest.approx(expected, rel=1e-12)
    profits = {trade["instrument"]: trade["profit"] for trade in said["trades"]}
    assert profits == {"E": pytest.approx(sold * 0.99 - bought * 1.01), "D": pytest.approx(10 * 7 - other * 1.01)}
    assert said["mode"] == mode


def test_after_a_change_the_next_open_has_the_new_rate(words: list[object], strades: Run, tmp_path: Path) -> None:
    """A EUR is 2 dollars from noon on the 2nd: 100 E bought that day at 10 EUR of 1.0, sold on the 5th at 12 of 2."""
    (tmp_path / "rates.csv").write_text(RATES.split("2020-01-02")[0] + "2020-01-02T12:00:00Z,EUR,USD,2\n")
    said = strades("backtest", f"{tmp_path}/swap.py:Swap", *words, "--cash", 5000, "--mode", "events").document
    assert [fill["rate"] for fill in said["fills"]] == [1.0, 1.0, 2.0]
    assert said["cash"] == pytest.approx(5000 - 100 * 10 * 1.0 - 10 * 5.0 + 100 * 12 * 2.0, rel=1e-12)


def test_the_inverse_pair_dividends_and_cash_limits(words: list[object], strades: Run, tmp_path: Path) -> None:
    """USD/EUR of 0.5 makes a EUR two dollars; a weight of all cash buys half the units, and 1 EUR a unit is paid."""
    (tmp_path / "rates.csv").write_text(HEADER + "2019-12-31T12:00:00Z,USD,EUR,0.5\n")
    (tmp_path / "a.csv").write_text("symbol,date,kind,value,currency\nE,2020-01-04,dividend,1,EUR\n")
    one = [words[0], *words[2:], "--actions", tmp_path / "a.csv", "--mode", "events", "--cash", 2000]
    said = strades("backtest", "buy_and_hold", *one, "--leverage", 1).document
    assert [fill["quantity"] for fill in said["fills"]] == [100.0]
    assert said["cash"] == pytest.approx(100 * 1 * 2.0, rel=1e-12)
    (tmp_path / "a.csv").write_text("symbol,date,kind,value,currency\nE,2020-01-04,dividend,1,USD\n")
    answer = strades("backtest", "buy_and_hold", *one)
    assert (answer.code, "a.csv: row 2: currency: expected EUR, as E is in, found 'USD'" in answer.err) == (2, True)


def test_before_the_first_rate_an_instrument_waits(words: list[object], strades: Run, tmp_path: Path) -> None:
    (tmp_path / "rates.csv").write_text(HEADER + "2020-01-03T12:00:00Z,EUR,USD,2\n")
    said = strades("backtest", "buy_and_hold", words[0], *words[2:], "--mode", "events", "--cash", 2200).document
    assert [(fill["time"][:10], fill["quantity"]) for fill in said["fills"]] == [("2020-01-04", 100.0)]


REFUSED = {
    "empty": ("", "rates.csv: expected the columns ts_utc,base,quote,rate and rows, found an empty file"),
    "header": ("date,base,quote,rate\n", "rates.csv: row 1: ts_utc: expected the columns"),
    "semicolons": (RATES.replace(",", ";"), "rates.csv: row 1: ts_utc: expected the columns"),
    "nan": (HEADER + "2020-01-01T00:00:00Z,EUR,USD,nan\n", "row 2: rate: expected a number above 0 and below"),
    "negative": (HEADER + "2020-01-01T00:00:00Z,EUR,USD,-1\n", "row 2: rate: expected a number above 0 and below"),
    "code": (HEADER + "2020-01-01T00:00:00Z,euro,USD,1\n", "row 2: base: expected a code such as USD, found 'euro'"),
    "same": (HEADER + "2020-01-01T00:00:00Z,USD,USD,1\n", "row 2: quote: expected another currency than the base"),
    "no zone": (HEADER + "2020-01-01T00:00:00,EUR,USD,1\n", "row 2: ts_utc: expected a time in UTC such as"),
    "twice": (RATES + RATES.splitlines()[-1] + "\n", "row 7: ts_utc: expected a time after the one before of EUR/USD"),
    "both ways": (RATES + "2020-01-07T00:00:00Z,USD,EUR,1\n", "row 7: quote: expected EUR/USD, as before"),
    "no such pair": (
        HEADER + "2020-01-01T00:00:00Z,GBP,USD,1\n",
        "expected rates of EUR/USD or USD/EUR, found GBP/USD",
    ),
    "too late": (HEADER + "2020-02-01T00:00:00Z,EUR,USD,1\n", "of the time of the bars, 2020-01-01T00:00:00Z to"),
    "too early": (HEADER + "2019-02-01T00:00:00Z,EUR,USD,1\n", "of the time of the bars, 2020-01-01T00:00:00Z to"),
}


@pytest.mark.parametrize(("text", "told"), REFUSED.values(), ids=REFUSED)
def test_bad_rates_are_refused_in_one_line(
    text: str, told: str, words: list[object], strades: Run, tmp_path: Path
) -> None:
    (tmp_path / "rates.csv").write_text(text)
    answer = strades("backtest", "buy_and_hold", *words)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert told in answer.err


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--currency=E=EUR"], "--currency: expected the account's, as --currency USD"),
        (["--currency=USD", "--currency=E=EUR"], "--rates: expected it with --currency NAME=CODE"),
        (["--currency=USD", "--currency=X=EUR", "--rates=rates.csv"], "--currency: expected one of E, found 'X'"),
        (["--currency=dollar"], "--currency: expected CODE or NAME=CODE, USD say, each once; found 'dollar'"),
        (["--currency=USD", "--currency=EUR"], "each once; found 'EUR'"),
    ],
)
def test_currencies_that_are_refused(
    given: list[str], told: str, words: list[object], strades: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = strades("backtest", "buy_and_hold", words[0], *given)
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert told in answer.err
