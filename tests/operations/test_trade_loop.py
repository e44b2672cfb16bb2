"""`strades trade`: the live edge without Dagster."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from strades_pipelines.brokerage.execution import wallet_lock
from strades_pipelines.brokerage.live import decide
from strades_pipelines.brokerage.trade_pass import Desk
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.brokerage.wallets import read_wallets
from strades_pipelines.database.connection import adbc_connect, connect
from strades_pipelines.settings import PROJECT, settings
from tests.operations.daemon_child import DAEMONS
from tests.operations.test_trading import START, World, mine, wallet
from tests.research.bars import Run
from tests.waiting import MOMENT

__all__ = ["mine"]
ENTRY = {
    "name": "loop",
    "mode": "paper",
    "strategy": "sma_cross",
    "parameters": {"fast": 1, "slow": 2, "size": 2},
    "instruments": ["gateio:BTC_USDT"],
    "interval": "1m",
    "currency": "USD",
    "cash": 10_000,
    "opened_at": START.isoformat(),
}
HERE = {"name": "mine", "fee_percent": 0.1, "parameters": {}}
THREADS = 10
WAITING = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted HAVING count(*) >= {}"


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mine: World) -> Any:
    """Writes Wallets.json: entries like `ENTRY`, with changes."""
    file = tmp_path / "Wallets.json"
    monkeypatch.setenv("STRADES_WALLETS", str(file))

    def write(*changes: dict[str, Any]) -> None:
        file.write_text(json.dumps({"wallets": [ENTRY | change for change in changes]}))
        settings.cache_clear()

    write({}, HERE)
    return write


def test_a_pass_decides_sends_and_books(strades: Run, mine: World, listed: Any) -> None:
    mine.go_on(1, price=101.0)
    first = strades("trade", "--seconds", 0, "--json")
    assert (first.code, first.document) == (
        0,
        {"passes": 1, "intents": 1, "sent": 1, "fills": 0, "refused": 0, "errors": {}, "not_approved": {}},
    )
    assert "loop: 1 intents, 1 sent" in first.err
    mine.go_on(2, price=101.0)
    assert strades("trade", "--seconds", 0, "--json").document["fills"] == 1
    assert mine.rows("SELECT wallet, quantity FROM trading.positions") == [("loop", 2)]


def test_only_the_named_wallet_trades(strades: Run, mine: World, listed: Any) -> None:
    listed({}, {"name": "other"})
    assert strades("trade", "--wallet", "other", "--seconds", 0).code == 0
    # None is retired, though the file does not list `mine`.
    assert mine.rows("SELECT wallet, state FROM trading.wallets ORDER BY 1") == [
        ("mine", "active"),
        ("other", "active"),
    ]
    assert strades("trade", "--wallet", "nobody", "--seconds", 0).code == 2


def test_a_wallet_that_fails_stops_no_other_and_what_is_not_listed_is_retired(
    strades: Run, mine: World, listed: Any
) -> None:
    mine.go_on(1, price=101.0)
    listed({"name": "poor", "cash": 0}, {})
    answer = strades("trade", "--seconds", 0, "--json")
    assert answer.code == 1
    assert list(answer.document["errors"]) == ["poor"]
    assert answer.document["sent"] == 1
    assert wallet(strades, "mine")["state"] == "retired"


def test_19_a_halt_stops_a_loop_that_runs(strades: Run, mine: World, listed: Any) -> None:
    with loop(mine.url) as child:
        await_rows(mine, "SELECT wallet FROM trading.wallets WHERE wallet = 'loop'")
        assert strades("halt").code == 0
        mine.go_on(1, price=101.0)
        time.sleep(1)
        assert mine.rows("SELECT count(*) FROM trading.paper_venue_orders") == [(0,)]
        child.send_signal(signal.SIGTERM)
        assert child.wait(MOMENT) == 128 + signal.SIGTERM


def test_15_two_daemons_two_loops_and_ten_threads_make_one_order(strades: Run, mine: World, listed: Any) -> None:
    """Each decides the same by itself, then waits for the wallet's lock, which is held until all have come to it."""
    mine.go_on(1, price=101.0)
    [template] = [one for one in read_wallets(settings().wallets).templates if one.name == "loop"]

    def trade(_: int) -> int:
        with connect(mine.url) as ours, connect(mine.url) as theirs, closing(adbc_connect(mine.url)) as adbc:
            done, errors, _not_approved = Desk(ours, theirs, adbc, settings().now).trade([template], None)
        assert errors == {}
        return len(done["loop"].sent)

    with connect(mine.url) as gate, ThreadPoolExecutor(THREADS) as pool, daemons(mine.url) as both:
        open_wallet(gate, template, now=settings().now())
        with closing(adbc_connect(mine.url)) as adbc:
            assert len(decide(gate, adbc, "loop", now=settings().now())) == 1  # for which the daemons wait
        with wallet_lock(gate, "loop"):
            await_rows(mine, WAITING.format(DAEMONS))
            with loop(mine.url), loop(mine.url):
                sent = pool.map(trade, range(THREADS))
                await_rows(mine, WAITING.format(DAEMONS + 2 + THREADS))
                gate.execute("SELECT pg_advisory_unlock_all()")
                assert sum(sent) <= 1  # or one of the others sent it
                assert both.wait(120) == 0
    for table in ("signals.decisions", "trading.intents", "trading.orders", "trading.paper_venue_orders"):
        assert mine.rows(f"SELECT count(*) FROM {table}") == [(1,)], table
    assert mine.rows("SELECT count(*) FROM trading.order_events WHERE state = 'submitting'") == [(1,)]
    mine.go_on(2, price=101.0)
    assert strades("trade", "--seconds", 0, "--json").document["fills"] == 1
    assert mine.rows("SELECT wallet, quantity FROM trading.positions") == [("loop", 2)]


@contextmanager
def daemons(url: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Ticks of `trade_sensor` and the run that they bring, in two processes of their own."""
    words = [sys.executable, "-m", "tests.operations.daemon_child", url]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DAGSTER_")}
    child = subprocess.Popen(words, cwd=PROJECT, env=environment, start_new_session=True)
    try:
        yield child
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


@contextmanager
def loop(url: str) -> Iterator["subprocess.Popen[bytes]"]:
    """`strades trade` in a process of its own, whose clock is the one held now."""
    words = [sys.executable, "-m", "tests.operations.strades_child", url, "trade", "--every", "0.1"]
    child = subprocess.Popen(words, cwd=PROJECT, start_new_session=True)
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def await_rows(mine: World, query: str) -> None:
    """Wait until a query finds something."""
    deadline = time.monotonic() + 120
    while not mine.rows(query):
        assert time.monotonic() < deadline, query
        time.sleep(0.05)
