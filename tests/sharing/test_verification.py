"""Verifying a bundle: right, with a changed byte, with other data, and with code that reaches for what it may not."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from strades_pipelines.research.backtest_inputs import DataChoice
from strades_pipelines.sharing import work_folder
from strades_pipelines.sharing.author_key import AuthorKey
from strades_pipelines.sharing.bundle_file import Bundle
from strades_pipelines.sharing.code_review import permissions_of, reaches
from strades_pipelines.sharing.manifest import BundleRefused
from strades_pipelines.sharing.rerun import CodeFailed, rerun
from strades_pipelines.sharing.strategy_run import StrategyQuestion
from strades_pipelines.sharing.verification import (
    DATA_NOT_HERE,
    DIFFERS,
    VERIFIED,
    declared_bars,
    files_of,
    first_difference,
    first_wrong_claim,
    verify,
    verify_bytes,
)
from strades_pipelines.system.isolation import Limits
from tests.research.bars import CLOSES, bar_file
from tests.sharing.conftest import strategy_of
from tests.shut_in import require_isolation

HOSTILE = """
import os
import socket
import subprocess
import sys
from pathlib import Path

from strades_pipelines.strategy.strategy import Strategy

ATTEMPTS = {{
    "fork": os.fork,
    "subprocess": lambda: subprocess.run(["/bin/true"]),
    "socket": socket.socket,
    "secret": lambda: Path({secret!r}).read_text(),
    "folder": lambda: os.listdir({folder!r}),
    "parent": lambda: Path(f"/proc/{{os.getppid()}}/environ").read_bytes(),
    "kill": lambda: os.kill(os.getppid(), 0),
    "project": lambda: Path({project!r}).read_text(),
}}


class Hostile(Strategy):
    def on_start(self, account):
        done = [name for name in os.environ if "SECRET" in name or "DATABASE" in name or "KEY" in name]
        for name, attempt in ATTEMPTS.items():
            try:
                attempt()
                done.append(name)
            except OSError:
                pass
        print("what code prints is no answer")
        raise RuntimeError(f"done: {{done}}")
"""


FORGED = """
import os
for descriptor in range(3, 9):
    try:
        os.write(descriptor, {answer!r})
    except OSError:
        pass
os._exit(0)
"""

TERMINATED = """
import ctypes, struct, time
libc = ctypes.CDLL(None)
timer = ctypes.c_int()
libc.syscall(222, 0, struct.pack("<QiiQ", 0, 15, 0, 0) + bytes(40), ctypes.byref(timer))  # timer_create: SIGTERM
libc.syscall(223, timer.value, 0, struct.pack("<qqqq", 0, 0, 0, 1000), None)
time.sleep(20)
"""
THREADS = """
import threading
threading.stack_size(65536)
end = threading.Event()
for _ in range(400):
    threading.Thread(target=end.wait, daemon=True).start()
end.wait(60)
"""
FILES = """
import time
for number in range(30):
    with open(f"{number}", "wb") as file:
        file.write(bytes(2**20))
time.sleep(60)
"""


def signed(bundle: Bundle, key: AuthorKey, *, result: bytes | None = None, **changes: Any) -> Bundle:
    """The bundle with another manifest and result, which its author signed."""
    content = bundle.result if result is None else result
    declared = changes.pop("result_", bundle.manifest.result).model_copy(
        update={"sha256": hashlib.sha256(content).hexdigest()}
    )
    manifest = bundle.manifest.model_copy(update={**changes, "result": declared})
    return replace(bundle, manifest=manifest, result=content, signature=key.sign(manifest.encoded()))


def test_what_the_author_got_is_verified_and_is_what_the_prices_give(bundle: Bundle, shop: Path) -> None:
    verdict = verify_bytes(bundle.body, files_of(shop))
    assert (verdict.state, verdict.detail[:19]) == (VERIFIED, "the same fills (1) ")
    # Two units at the open of the second day, which is the close of the first, 0.1 % of fees, and held.
    spent = 2 * CLOSES[0]
    claims = bundle.manifest.result.claims
    assert claims["fees"] == pytest.approx(spent * 0.001)
    assert claims["final_equity"] == pytest.approx(100_000 - spent * 1.001 + 2 * CLOSES[-1])


def test_a_flipped_byte_is_named(bundle: Bundle, shop: Path, key: AuthorKey) -> None:
    body = bytearray(bundle.body)
    body[body.index(b"account.target[bar.i] = ")] ^= 1
    verdict = verify_bytes(bytes(body), files_of(shop))
    assert verdict.state == DIFFERS
    assert verdict.detail == "code/hold.py: expected the bytes that were signed, found others"
    # Signed by its own author with a result that the code does not make.
    lied = signed(bundle, key, result=bundle.result.replace(b'"price":100,', b'"price":100.5,'))
    assert lied.result != bundle.result
    verdict = verify_bytes(lied.body, files_of(shop))
    assert (verdict.state, verdict.detail) == (DIFFERS, "fills[0].price: the bundle has 100.5, the run 100")


def test_a_claim_that_the_run_does_not_have_is_named(bundle: Bundle) -> None:
    claims = bundle.manifest.result.claims
    assert first_wrong_claim(claims, dict(claims)) is None
    assert first_wrong_claim({"sharpe": 2.0}, {"sharpe": 1.0}) == "claim sharpe: the bundle has 2.0, the run 1.0"
    assert first_wrong_claim({"sharpe": None}, {"sharpe": 1.0})
    assert first_wrong_claim({"luck": None}, {"sharpe": 1.0})
    assert first_wrong_claim({"sharpe": 1.0 + 1e-12}, {"sharpe": 1.0}) is None


def test_the_first_difference_is_that_of_the_first_row() -> None:
    one = {"fills": [{"price": 1.0, "side": "buy"}, {"price": 2.0, "side": "buy"}], "cash": 3.0}
    assert first_difference("x", one, one) is None
    other = {"fills": [{"price": 1.0, "side": "buy"}, {"price": 2.5, "side": "sell"}], "cash": 4.0}
    assert first_difference("x", one["fills"], other["fills"]) == "x[1].price: the bundle has 2.0, the run 2.5"
    assert first_difference("x", [1], [1, 2]) == "x: the bundle has 1 of them, the run 2"
    assert first_difference("x", 1, True) == "x: the bundle has 1, the run True"


def test_data_that_is_not_here_or_has_other_values_is_named(bundle: Bundle, shop: Path, tmp_path: Path) -> None:
    assert verify(bundle, {}).state == DATA_NOT_HERE
    changed = bar_file(tmp_path, [*CLOSES[:-1], CLOSES[-1] + 0.25])
    verdict = verify(bundle, {"wave": changed})
    assert verdict.state == DATA_NOT_HERE
    assert "wave: the bars here have other values" in verdict.detail
    stored = strategy_of(bundle).data[0].model_copy(update={"origin": "stored", "instrument": "nowhere:NONE"})
    assert verify(replace(bundle, manifest=bundle.manifest.model_copy(update={"data": (stored,)})), {}).state == (
        DATA_NOT_HERE
    )


def test_options_of_a_manifest_reach_no_file_of_the_reader(bundle: Bundle, shop: Path) -> None:
    for options in ({"actions": "/etc/passwd"}, {"rates": "x"}, {"calendar": "XNYS"}, {"interval": ["1d"]}):
        manifest = strategy_of(bundle).model_copy(update={"options": options})
        with pytest.raises(BundleRefused, match=r"manifest\.json: options"):
            declared_bars(manifest, files_of(shop))


def test_code_that_asks_for_more_than_it_says_is_refused(bundle: Bundle, shop: Path, key: AuthorKey) -> None:
    code = strategy_of(bundle).code.model_copy(update={"permissions": ("bars",)})
    with pytest.raises(BundleRefused, match="expected bars, targets, which the code asks for; found bars"):
        verify(signed(bundle, key, code=code), files_of(shop))
    asks = (
        b"import os, numpy as np\nfrom helper import x\nclass A:\n def on_trade(self): self.account.order(1); eval('')"
    )
    assert permissions_of({"code/a.py": asks}) == ("orders", "trades")
    assert reaches({"code/a.py": asks, "code/helper.py": b""}) == ("eval()", "numpy", "os")
    hiding = {"code/a.py": asks, "code/os.py": b"", "code/numpy/x.py": b"", "code/helper.py": b""}
    assert reaches(hiding) == ("eval()", "numpy", "os")  # a file of its own hides no module of that name
    for text in (
        "on_trade = on_quote = _t",
        "async def on_trade(self): pass\n async def on_quote(self): pass",
        "from helper import on_trade, x as on_quote",
        "A.on_trade, A.on_quote = x, x",
        "on_trade: int = 1; on_quote += 1",
    ):
        assert permissions_of({"code/a.py": f"class A:\n {text}".encode()}) == ("quotes", "trades"), text
    with pytest.raises(BundleRefused, match=r"code/a\.py:1: expected Python"):
        permissions_of({"code/a.py": b"def"})


def run_code(shop: Path, text: str, *, seconds: float = 60.0, **limits: int) -> None:
    """Run a strategy called `Hostile` over the wave."""
    require_isolation()
    bars = DataChoice(files=[str(shop / "wave.csv")]).bars()
    question = StrategyQuestion("code/hostile.py", "Hostile", {}, {}, bars, Limits(**limits))
    rerun({"code/hostile.py": text.encode()}, question, seconds=seconds)


def test_code_of_others_forks_not_reads_no_secret_and_opens_no_socket(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "dashboard.key"
    secret.write_text("secret")
    monkeypatch.setenv("STRADES_TEST_SECRET", "x" * 20)
    monkeypatch.setenv("DATABASE_URL", "postgresql://a:b@127.0.0.1:1/x")
    project = str(Path(__file__).parents[2] / "pyproject.toml")
    text = HOSTILE.format(secret=str(secret), folder=str(tmp_path), project=project)
    with pytest.raises(CodeFailed, match=r"RuntimeError: done: \[\]"):
        run_code(shop, text)


def test_code_that_does_not_end_or_ends_its_process_fails(shop: Path) -> None:
    head = "import os\nfrom strades_pipelines.strategy.strategy import Strategy\nclass Hostile(Strategy):\n"
    with pytest.raises(CodeFailed, match="expected a run of at most 5 s"):
        run_code(shop, head + "    def on_start(self, account):\n        while True:\n            pass", seconds=5)
    with pytest.raises(CodeFailed, match="process ended with code 7"):
        run_code(shop, head + "    os._exit(7)")


@pytest.mark.parametrize(
    "answer",
    [
        b"{}",
        b'{"result":{"fills":[NaN]},"claims":{},"code_sha256":"x"}',
        b'{"result":{},"claims":{"sharpe":"x"},"code_sha256":"x"}',
        b'{"result":{},"claims":{"sharpe":1' + b"0" * 400 + b'},"code_sha256":"x"}',
        b'{"result":{"fills":' + b"[" * 900 + b"]" * 900 + b'},"claims":{},"code_sha256":"x"}',
    ],
)
def test_an_answer_that_is_no_result_fails(shop: Path, answer: bytes) -> None:
    with pytest.raises(CodeFailed, match="answered something else"):
        run_code(shop, FORGED.format(answer=answer))


def test_code_that_stops_itself_or_takes_more_than_its_share_fails(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CodeFailed, match="process ended with SIGTERM"):
        run_code(shop, TERMINATED)
    with pytest.raises(CodeFailed, match="at most 256 threads, it starts more"):
        run_code(shop, THREADS)
    monkeypatch.setattr(work_folder, "MOST_BYTES", 20 * 2**20)
    with pytest.raises(CodeFailed, match="files of at most 20 MiB together"):
        run_code(shop, FILES)


def test_what_a_manifest_says_of_its_bars_is_compared(bundle: Bundle, shop: Path, key: AuthorKey) -> None:
    [data] = strategy_of(bundle).data
    for name, value in (("rows", 1_000_000), ("first", data.last), ("last", data.first)):
        other = signed(bundle, key, data=(data.model_copy(update={name: value}),))
        verdict = verify(other, files_of(shop))
        assert verdict.state == DIFFERS
        assert verdict.detail.startswith(f"wave: {name}: the bundle has {value}, the bars ")


def test_a_bundle_without_claims_is_not_said_to_have_the_same_figures(
    bundle: Bundle, shop: Path, key: AuthorKey
) -> None:
    none = bundle.manifest.result.model_copy(update={"claims": {}})
    verdict = verify(signed(bundle, key, result_=none), files_of(shop))
    assert (verdict.state, verdict.detail) == (VERIFIED, "the same fills (1) without a figure that is claimed")


def test_options_that_no_time_can_have_are_no_fault(bundle: Bundle, shop: Path) -> None:
    for name in ("interval", "resample"):
        for length in ("999999999999d", "999999999d", "99999999999999999999h"):
            manifest = bundle.manifest.model_copy(update={"options": {name: length}})
            assert verify(replace(bundle, manifest=manifest), files_of(shop)).state == DATA_NOT_HERE, length
