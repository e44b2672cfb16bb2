"""`strades lookahead` and `strades startup`: what they print, and how they end."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from strades_pipelines import cli
from strades_pipelines.research import strategy_checks
from strades_pipelines.settings import settings
from tests.strategy.planted import walk

LEAK = """
import csv

from strades_pipelines.strategy.strategy import Strategy


class Leak(Strategy):
    def on_start(self, account):
        with open({file!r}) as file:
            self.closes = [float(row["close"]) for row in csv.DictReader(file)]
        self.k = 0

    def on_aggregate_bar(self, bar, account):
        self.k += 1
        if self.k < len(self.closes):
            account.target[bar.i] = 1.0 if self.closes[self.k] > bar.close else 0.0


class Unstable(Strategy):
    def on_start(self, account):
        self.first = 0.0

    def on_aggregate_bar(self, bar, account):
        if self.first == 0.0:
            self.first = bar.close
        account.target[bar.i] = 1.0 if bar.close > self.first else -1.0


class Plain(Strategy):
    def on_aggregate_bar(self, bar, account):
        account.target[bar.i] = 1.0 if bar.close > bar.open else 0.0


def too_early(bars):
    from dataclasses import replace

    return [replace(one, time=one.open_time + 1).columns(i) for i, one in enumerate(bars)]
"""


Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: Patch) -> Iterator[Path]:
    """bars.csv, a walk of 300 days, and wrong.py, with strategies that are."""
    bars = walk(300)
    opens = np.datetime_as_string(bars.open_time.astype("datetime64[us]"), unit="s")
    rows = [",".join([f"{time}Z", *map(repr, row)]) for time, row in zip(opens, bars.prices.T.tolist(), strict=True)]
    (tmp_path / "bars.csv").write_text("\n".join(["ts_utc,open,high,low,close,volume", *rows]) + "\n")
    (tmp_path / "wrong.py").write_text(LEAK.format(file=str(tmp_path / "bars.csv")))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STRADES_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


def _run(monkeypatch: Patch, capsys: Capture, line: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error of a command."""
    if all(group.typer_instance is not strategy_checks.app for group in cli.app.registered_groups):
        cli.app.add_typer(strategy_checks.app)
    monkeypatch.setattr(sys, "argv", ["strades", *line.split()])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


@pytest.mark.parametrize(
    ("line", "code", "printed"),
    [
        ("lookahead wrong.py:Plain --bars bars.csv", 0, "Plain: no findings (times 200, decisions "),
        (
            "lookahead wrong.py:Plain --bars bars.csv --feed too_early",
            1,
            "lookahead: 2022-01-08T00:00:00.000001Z bars ",
        ),
        ("lookahead wrong.py:Leak --bars bars.csv", 1, "bars.csv is read by the strategy itself; give it as bars"),
        ("startup wrong.py:Plain --bars bars.csv", 0, "Plain: no findings (openings 20, warm ups [1, 2, 4], "),
        ("startup wrong.py:Unstable --bars bars.csv", 1, "startup: 2022-01-"),
    ],
)
def test_findings_are_lines_and_the_exit_code(
    line: str,
    code: int,
    printed: str,
    folder: Path,
    monkeypatch: Patch,
    capsys: Capture,
) -> None:
    ended, out, err = _run(monkeypatch, capsys, line)
    assert (ended, err) == (code, "")
    assert printed in out


WAYS = {
    "open": "open({0!r}).read()",
    "appended": "open({0!r}, 'a+').read()",
    "pathlib": "pathlib.Path({0!r}).read_text()",
    "pandas": "pandas.read_csv({0!r})",
    "loadtxt": "numpy.loadtxt({0!r})",
    "fromfile": "numpy.fromfile({0!r})",
    "memmap": "numpy.memmap({0!r}, mode='r')",
    "csv": "list(csv.reader(open({0!r})))",
    "sqlite": "sqlite3.connect({0!r}).execute('SELECT 1')",
    "urllib": "urllib.request.urlopen('file://' + {0!r}).read()",
    "loader": "importlib.machinery.SourceFileLoader('x', {0!r}).get_data({0!r})",
    "os": "os.read(os.open({0!r}, os.O_RDONLY), 9)",
    "mmap": "mmap.mmap(os.open({0!r}, os.O_RDONLY), 0, prot=mmap.PROT_READ)[:]",
    "dbm": "dbm.open({0!r}, 'c')",
}
PLACES = ("at_import", "in_the_class", "beside", "in_on_start", "in_a_hook")
READS = """
import csv, dbm, importlib.machinery, mmap, os, pathlib, sqlite3, urllib.request
import numpy, pandas
"""
READER = """
import beside
from strades_pipelines.strategy.strategy import Strategy

{at_import}

class Reader(Strategy):
    {in_the_class}

    def on_start(self, account):
        {in_on_start}

    def on_aggregate_bar(self, bar, account):
        {in_a_hook}
"""


def test_a_file_that_is_read_in_any_way_and_place_is_named(folder: Path, monkeypatch: Patch, capsys: Capture) -> None:
    lines = {}
    for place in PLACES:
        files = {way: str(folder / f"{place}-{way}.txt") for way in WAYS}
        for way, file in files.items():
            if way != "dbm":
                Path(file).write_text("1\n2\n3\n4\n")
        lines[place] = "; ".join(WAYS[way].format(file) for way, file in files.items())
    (folder / "beside.py").write_text(READS + lines.pop("beside"))
    (folder / "reader.py").write_text(READS + READER.format(**lines))
    bars = (folder / "bars.csv").read_text().splitlines()[:4]
    (folder / "few.csv").write_text("\n".join(bars) + "\n")
    _, out, _ = _run(monkeypatch, capsys, "lookahead reader.py --bars few.csv --times 1")
    unheard = [f"{place}-{way}" for place in PLACES for way in WAYS if f"{place}-{way}.txt" not in out]
    assert unheard == []


def test_what_reads_unheard_and_who_is_asked_is_named_wherever_that_is_done(
    folder: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    monkeypatch.delitem(sys.modules, "pyarrow.parquet", raising=False)
    text = """
import socket
from strades_pipelines.strategy.strategy import Strategy

class Reader(Strategy):
    def on_aggregate_bar(self, bar, account):
        import pyarrow.parquet
        try:
            socket.getaddrinfo("nowhere.invalid", 1, flags=socket.AI_NUMERICHOST)  # which asks nobody
        except OSError:
            pass
"""
    (folder / "reader.py").write_text(text)
    _, out, _ = _run(monkeypatch, capsys, "lookahead reader.py --bars bars.csv --times 1")
    assert "library: pyarrow.parquet is imported by the strategy" in out
    assert "network: nowhere.invalid is asked" in out


def test_a_document(folder: Path, monkeypatch: Patch, capsys: Capture) -> None:
    ended, out, _ = _run(monkeypatch, capsys, "startup wrong.py:Unstable --bars bars.csv --openings 3 --json")
    document = json.loads(out)
    assert ended == 1
    assert (document["strategy"], document["openings"], document["warm_ups"]) == ("Unstable", 3, [1, 2, 4])
    assert {finding["kind"] for finding in document["findings"]} == {"startup"}
    assert document["findings"][0]["instrument"] == "bars"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("lookahead nobody --bars bars.csv", "strategy: expected FILE.py:Class or one of adx_trend, "),
        ("lookahead wrong.py:Plain --bars none.csv", "none.csv"),
        ("lookahead wrong.py:Plain --bars bars.csv --feed nothing", "--feed: expected a function of this file"),
        ("startup ema_cross --bars bars.csv", "bars: expected more than 1040 bars to warm up on, found 300"),
        ("startup sma_cross --bars bars.csv --param fast=40", "expected 1 <= fast < slow, was fast 40 and slow 30"),
    ],
)
def test_bad_input_is_one_line_and_2(line: str, said: str, folder: Path, monkeypatch: Patch, capsys: Capture) -> None:
    ended, out, err = _run(monkeypatch, capsys, line)
    assert (ended, out, err.count("\n")) == (2, "", 1)
    assert said in err
