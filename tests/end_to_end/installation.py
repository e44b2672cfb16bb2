"""A whole installation of its own for a test: home, database server, list of sources and wallets."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from filelock import FileLock

from strades_pipelines.database.server import EmbeddedServer
from strades_pipelines.supervision.sandbox_server import sandbox_health
from strades_pipelines.system.ports import free_port
from tests.dbt_project.building import copy_parsed
from tests.end_to_end.graphql import wait_for

PROJECT = Path(__file__).resolve().parents[2]
STRADES = Path(sys.executable).with_name("strades")
# Where the clock is held: within the window, which so is the live edge too, and long after it, when the edge is apart.
NOON = "2013-02-20T12:00:00Z"
HALF_PAST = "2013-02-20T12:30:00Z"
YEARS_LATER = "2026-11-20T12:00:00Z"
# Old enough, so that the paper wallet, open since the morning, has something to do under a held clock.
DECISION_AGE_MINUTES = 600
STOCKS = ("AAPL", "IBM")
KEPT_INSTRUMENTS = {"001EQ", "002EQ", "001CC", "001ST"}
DROPPED = ("treasury", "news_archive")  # whose decades every run would ask for


@dataclass
class Installation:
    """One home of its own; `strades` runs the command in it."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    def strades(
        self,
        *arguments: str,
        now: str | None = None,
        crash_at: str | None = None,
        signal: tuple[int, float, float] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run the command in a process group of its own, so that a crash point kills it and what it started.

        Args:
            signal: its number, after how many seconds it is sent, and after how many more the command is killed.
        """
        more = {"STRADES_SANDBOX_NOW": now, "STRADES_CRASH_AT": crash_at}
        environment = {**os.environ, **self.environment, **{name: value for name, value in more.items() if value}}
        out, error = (self.home / f"command.{name}" for name in ("out", "err"))
        asked: dict[str, Any] = {"arguments": arguments, "environment": environment, "signal": signal}
        asked |= {"stdout": str(out), "stderr": str(error)}
        code = ask_zygote(asked)
        return subprocess.CompletedProcess(["strades", *arguments], code, out.read_text(), error.read_text())

    def run(self, *arguments: str, now: str = NOON) -> dict[str, Any]:
        """`strades run` over the window; the report. A failure is the test's."""
        done = self.strades("run", *WINDOW, "--json", *arguments, now=now)
        assert done.returncode == 0, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def hashes(self) -> dict[str, str]:
        """The hash of every table but the logs."""
        hashes: dict[str, str] = json.loads(self.strades("db", "hash", "--json").stdout)
        return hashes

    def outcome(self) -> dict[str, Any]:
        """What runs came to: the hash of every table, and how many paper fills and orders at the venue there are."""
        counts = {
            "paper_fills": "trading.fills JOIN trading.wallets USING (wallet) WHERE mode = 'paper'",
            "venue_orders": "trading.paper_venue_orders",
        }
        found: dict[str, Any] = {"hashes": self.hashes()}
        with self.connect() as connection:
            for name, rows in counts.items():
                [found[name]] = connection.execute(f"SELECT count(*) FROM {rows}").fetchone() or (0,)
        return found

    def connect(self) -> "psycopg.Connection[Any]":
        """As the server's owner, in the sandbox's database."""
        return psycopg.connect(EmbeddedServer(self.home / "postgres").url("strades_sandbox"))


def undisturbed_outcome() -> dict[str, Any]:
    """The outcome of two runs, at noon and half past, that nobody disturbed: made once for all processes of tests."""
    kept = Path(os.environ["STRADES_TEST_FOLDER"]) / "undisturbed.json"
    with FileLock(kept.with_suffix(".lock")):
        if not kept.exists():
            with installation(without=LONG) as made:
                made.run(now=NOON)
                made.run(now=HALF_PAST)
                kept.write_text(json.dumps(made.outcome()))
    outcome: dict[str, Any] = json.loads(kept.read_text())
    return outcome


@cache
def zygote() -> "subprocess.Popen[str]":
    """The process that commands are forked from; it ends when this one does and its input closes."""
    command = [sys.executable, "-m", "tests.end_to_end.zygote"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=PROJECT, start_new_session=True)


def ask_zygote(asked: dict[str, Any]) -> int:
    """Run a command in a fork; its return code, the negative number of a signal that killed it."""
    process = zygote()
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(asked) + "\n")
    process.stdin.flush()
    return int(process.stdout.readline())


WINDOW = ("--from", "2013-02-01", "--to", "2013-03-01")
LONG = ("ecb_history",)  # 26 years of rates, which every repeated run and every trace would work through


@contextmanager
def sandbox_at(now: str) -> Iterator[str]:
    """The URL of a sandbox that stays while commands come and go; each otherwise starts one of its own."""
    url = f"http://127.0.0.1:{free_port()}"
    environment = {**os.environ, "STRADES_SANDBOX_URL": url, "STRADES_SANDBOX_NOW": now}
    process = subprocess.Popen([sys.executable, "-m", "sandbox"], cwd=PROJECT, env=environment)
    try:
        wait_for("the sandbox", lambda: sandbox_health(url), seconds=30, pause=0.2)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=10)


@contextmanager
def installation(
    *,
    without: Collection[str] = (),
    parsed: bool = True,
    environment: Mapping[str, str] | None = None,
    clock: str = NOON,
) -> Iterator[Installation]:
    """A new installation over two stocks, the ECB's rates and one synthetic pair, without the sources named.

    Where `parsed`, another test has parsed the dbt project for it. `clock` is where commands will hold it: the pair
    trades since the beginning of its year, and the paper wallet since its morning.
    """
    home = Path(tempfile.mkdtemp(prefix="strades-home-"))
    home.chmod(0o755)
    if parsed:
        copy_parsed(home / "dbt")
    (home / "Sources.json").write_text(json.dumps(small_sources(without, clock)))
    (home / "Wallets.json").write_text(json.dumps(small_wallets(clock)))
    made = Installation(
        home,
        {
            "STRADES_HOME": str(home),
            "STRADES_SOURCES": str(home / "Sources.json"),
            "STRADES_WALLETS": str(home / "Wallets.json"),
            "STRADES_SANDBOX_URL": "http://127.0.0.1:1",  # nothing listens there: each run starts a sandbox of its own
            **(environment or {}),
        },
    )
    try:
        yield made
    finally:
        made.strades("db", "stop")
        shutil.rmtree(home, ignore_errors=True)


def small_sources(without: Collection[str], clock: str) -> dict[str, Any]:
    """The project's list, cut to two stocks, one pair, and the ECB."""
    since = clock[:4] + "-01-01"
    document: dict[str, Any] = json.loads((PROJECT / "Sources.json").read_text())
    document["websites"] = [
        website
        for website in document["websites"]
        if website["name"] not in (*DROPPED, *without)
        and not (website["financial_instruments"] and KEPT_INSTRUMENTS.isdisjoint(website["financial_instruments"]))
    ]
    for website in document["websites"]:
        website["financial_instruments"] = [one for one in website["financial_instruments"] if one in KEPT_INSTRUMENTS]
        if website["name"].startswith("gateio"):
            website["history_from"] = since
    for instrument in document["financial_instruments"]:
        if instrument["kind"] == "crypto":
            instrument["start_date"] = f"{since}T00:00:00"
    return document


def small_wallets(clock: str) -> dict[str, Any]:
    """The project's wallets over the two stocks and minutes of the pair, on paper with something to do at once."""
    document: dict[str, Any] = json.loads((PROJECT / "Wallets.json").read_text())
    document["wallets"] = [one for one in document["wallets"] if one["mode"] == "replay" or one["interval"] == "1m"]
    for wallet in document["wallets"]:
        if wallet["mode"] == "replay":
            wallet["instruments"] = [f"yahoo:{symbol}" for symbol in STOCKS]
            wallet["parameters"] = {
                **wallet["parameters"],
                **({"fast": 2, "slow": 5} if wallet["strategy"] == "sma_cross" else {}),
            }
        else:
            wallet["instruments"] = ["gateio:BTC_USDT"]
            if wallet["strategy"] == "sma_cross":
                wallet["parameters"] |= {"fast": 10, "slow": 30}
            wallet["opened_at"] = f"{clock[:10]}T06:00:00+00:00"
            wallet["max_decision_age_minutes"] = DECISION_AGE_MINUTES
    return document
