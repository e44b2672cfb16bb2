"""`strades bundle`: from a strategy to a signed file, what is shown of it, verified and installed."""

import json
from pathlib import Path

import pytest

from strades_pipelines.operations.bundle_commands import app
from strades_pipelines.settings import settings
from tests.research.bars import Run, bar_file, runner

NAMES = "--name", "cross", "--version", "1.0.0", "--title", "Two means", "--licence", "Apache-2.0"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """`strades` with a home of its own."""
    monkeypatch.setenv("STRADES_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    return runner(monkeypatch, capsys)


def test_from_a_strategy_to_an_installed_bundle(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bars, file = bar_file(tmp_path), tmp_path / "cross.zip"
    options = "--bars", bars, "--param", "fast=2", "--param", "slow=5", "--source", "a wave", "--data-licence", "free"
    made = run("bundle", "make", "sma_cross", *options, *NAMES, "-o", file, "--json")
    assert made.code == 0, made.err
    manifest = made.document["manifest"]
    assert manifest["data"][0]["source"] == "a wave"
    assert manifest["code"]["permissions"] == ["bars", "targets"]
    # The same figures as `strades backtest`, which is not shut in.
    document = run("backtest", "sma_cross", *options[:6], "--json", "--no-ledger").document
    assert manifest["result"]["claims"] == document["statistics"]
    assert manifest["environment"]["code_sha256"] == document["code_hash"]

    shown = run("bundle", "show", file)
    assert "author    " + made.document["author"] in shown.out
    assert "asks for  bars, targets" in shown.out
    missing = run("bundle", "verify", file, "--json")
    assert (missing.code, missing.document["state"]) == (1, "data not here")
    verified = run("bundle", "verify", file, "--bars", bars)
    assert (verified.code, verified.out.partition(":")[0]) == (0, "verified")

    draft = run("bundle", "article", file)
    assert draft.out.startswith("Draft, by a template:\n\ncross 1.0.0, signed with the key ")
    assert "no run has given the same" in draft.out
    assert run("bundle", "article", file, "--writer", "parrot").code == 2
    other = run("bundle", "install", file, "--key", "0000-0000-0000-0000")
    assert (other.code, other.err.partition("expected ")[2][:30]) == (2, "a bundle of the author 0000-00")
    monkeypatch.setenv("STRADES_WORLD", "live")
    settings.cache_clear()
    early = run("bundle", "install", file)
    assert (early.code, early.err) == (2, "strades: cross: expected it in the sandbox world first, it is not there\n")
    monkeypatch.setenv("STRADES_WORLD", "sandbox")
    settings.cache_clear()
    paths = {json.loads(run("bundle", "install", file, "--json").out)["code"] for _ in range(2)}
    [path] = map(Path, paths)
    assert path.is_relative_to(tmp_path / "home" / "bundles" / made.document["author"])
    assert (
        path.read_bytes()
        == (Path(__file__).parents[2] / "strades_pipelines/strategy/library/sma_cross.py").read_bytes()
    )
    assert path.stat().st_mode & 0o777 == 0o400
    assert run("backtest", path, *options[:6], "--json", "--no-ledger").document["equity"] == document["equity"]

    changed = bytearray(file.read_bytes())
    changed[changed.index(b"class SmaCross")] ^= 1
    file.write_bytes(changed)
    answer = run("bundle", "verify", file, "--bars", bars)
    assert answer.code == 1
    assert answer.out.startswith("differs: ")
    assert "code/sma_cross.py" in answer.out
    assert run("bundle", "install", file).code == 2


def test_each_command_says_what_it_does() -> None:
    assert [command.name or command.callback.__name__ for command in app.registered_commands if command.callback] == [
        "make",
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
