"""`strades bundle`: from a strategy to a signed file, what is shown of it, verified and installed."""

import json
import re
import shlex
from pathlib import Path

import pytest

from strades_pipelines.operations.bundle_commands import app
from strades_pipelines.settings import PROJECT, settings
from tests.research.bars import Run, bar_file, runner
from tests.shut_in import shut_in

__all__ = ["shut_in"]
DOCS = PROJECT / "docs"
NAMES = "--name", "cross", "--version", "1.0.0", "--title", "Two means", "--licence", "Apache-2.0"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """`strades` with a home of its own."""
    monkeypatch.setenv("STRADES_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    return runner(monkeypatch, capsys)


@pytest.mark.usefixtures("shut_in")
def test_the_page_on_bundles_from_a_strategy_to_an_installed_bundle(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commands of docs/bundles.md in order, with the strategy of docs/strategies.md and a wave for its bars."""
    monkeypatch.chdir(tmp_path)
    bars = bar_file(tmp_path, [100.0 + 0.5 * k + k * 7 % 11 for k in range(120)], "goog.csv")  # it breaks out
    [first, *_] = re.findall(r"```python\n(# breakout.py\n.*?)```", (DOCS / "strategies.md").read_text(), re.DOTALL)
    (tmp_path / "breakout.py").write_text(first)
    [block, *_] = re.findall(r"```console\n(.*?)```", (DOCS / "bundles.md").read_text(), re.DOTALL)
    make, show, verify, install = [shlex.split(line.removeprefix("$ strades ")) for line in block.splitlines()]
    file = tmp_path / "breakout.zip"

    made = run(*make, "--source", "a wave", "--data-licence", "free", "--json")
    assert made.code == 0, made.err
    manifest = made.document["manifest"]
    assert manifest["data"][0]["source"] == "a wave"
    assert manifest["code"]["permissions"] == ["bars", "targets"]
    # The same figures as `strades backtest`, which is not shut in.
    options = "--bars", bars, "--fee", "percent:0.1", "--json", "--no-ledger"
    document = run("backtest", "breakout.py", *options).document
    assert manifest["result"]["claims"] == document["statistics"]
    assert manifest["environment"]["code_sha256"] == document["code_hash"]
    assert document["statistics"]["fills"] > 0

    shown = run(*show)
    assert "author    " + made.document["author"] in shown.out
    assert "asks for  bars, targets" in shown.out
    missing = run("bundle", "verify", file, "--json")
    assert (missing.code, missing.document["state"]) == (1, "data not here")
    verified = run(*verify)
    assert (verified.code, verified.out.partition(":")[0]) == (0, "verified")

    draft = run("bundle", "article", file)
    assert draft.out.startswith("Draft, by a template:\n\nbreakout 1.0.0, signed with the key ")
    assert "no run has given the same" in draft.out
    assert run("bundle", "article", file, "--writer", "parrot").code == 2
    other = run("bundle", "install", file, "--key", "0000-0000-0000-0000")
    assert (other.code, other.err.partition("expected ")[2][:30]) == (2, "a bundle of the author 0000-00")
    monkeypatch.setenv("STRADES_WORLD", "live")
    settings.cache_clear()
    early = run(*install)
    assert (early.code, early.err) == (
        2,
        "strades: breakout: expected it in the sandbox world first, it is not there\n",
    )
    monkeypatch.setenv("STRADES_WORLD", "sandbox")
    settings.cache_clear()
    paths = {json.loads(run(*install, "--json").out)["file"] for _ in range(2)}
    [path] = map(Path, paths)
    assert path.is_relative_to(tmp_path / "home" / "bundles" / made.document["author"])
    assert path.read_text() == first
    assert path.stat().st_mode & 0o777 == 0o400
    assert run("backtest", path, *options).document["equity"] == document["equity"]

    changed = bytearray(file.read_bytes())
    changed[changed.index(b"class Breakout")] ^= 1
    file.write_bytes(changed)
    answer = run(*verify)
    assert answer.code == 1
    assert answer.out.startswith("differs: ")
    assert "code/breakout.py" in answer.out
    assert run(*install).code == 2


@pytest.mark.usefixtures("shut_in")
def test_the_other_kinds_are_made_shown_verified_and_used(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bars = bar_file(tmp_path)
    (tmp_path / "own.py").write_text("def features(bars):\n    return {'range': bars.prices[1] - bars.prices[2]}\n")
    (tmp_path / "layout.json").write_text('{"cards": ["fees"], "panels": ["trades", "account"]}')
    label = ("--name", "mine", "--version", "1.0.0", "--title", "Mine", "--licence", "MIT", "--output", "mine.zip")
    made = run("bundle", "make-features", "own.py", "--bars", bars, *label, "--data-licence", "free")
    assert made.code == 0, made.err
    assert "kind      feature_set" in made.out
    assert "asks for  bars" in made.out
    assert "licence: free" in run("bundle", "show", "mine.zip").out
    assert run("bundle", "verify", "mine.zip", "--bars", bars).code == 0
    assert "expected a bundle of a strategy" in run("bundle", "article", "mine.zip").err

    assert run("bundle", "make-layout", "layout.json", *label).code == 0
    installed = run("bundle", "install", "mine.zip", "--json").document["file"]
    page = tmp_path / "page.html"
    assert (
        run("backtest", "buy_and_hold", "--bars", bars, "--html", page, "--layout", installed, "--no-ledger").code == 0
    )
    [body] = re.findall("<main>(.*?)</main>", page.read_text(), re.DOTALL)
    assert re.findall("<h2>(.*?)</h2>", body) == ["Trades (1)", "Account"]
    assert re.findall('<div class="card"><span>(.*?)</span>', body) == ["Fees"]
    lonely = run("backtest", "buy_and_hold", "--bars", bars, "--layout", installed)
    assert (lonely.code, "expected --html beside it" in lonely.err) == (2, True)


def test_each_command_says_what_it_does() -> None:
    assert [command.name or command.callback.__name__ for command in app.registered_commands if command.callback] == [
        "make",
        "make-features",
        "make-protocol",
        "make-layout",
        "show",
        "verify",
        "install",
        "article",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--instrument", "AAPL"], "--interval"),
        (["--bars", "none.csv"], "none.csv"),
        (["--bars", "wave.csv", "--param", "fats=2"], "parameter fats"),
        (["--bars", "wave.csv", "--fee", "percnt:1"], "fee: expected"),
        (["--bars", "wave.csv", "--title", "two\nlines"], "--title: "),
        (["--bars", "wave.csv", "--name", "../x"], "--name: "),
    ],
)
def test_what_cannot_be_used_is_one_line_and_writes_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    bar_file(tmp_path)
    monkeypatch.chdir(tmp_path)
    answer = run("bundle", "make", "sma_cross", *NAMES, *words, "-o", "cross.zip")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert said in answer.err
    assert not Path("cross.zip").exists()
