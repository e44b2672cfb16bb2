"""`strades up`, used through GraphQL as its pages use it: a backfill, a schedule, the trade sensor, the docs."""

import json
import os
import signal
import socket
import stat
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from sandbox.candles import final_bars
from sandbox.market import MINUTE
from strades_pipelines.settings import settings
from strades_pipelines.supervision.timing import Timing
from strades_pipelines.system.ports import free_port
from tests.end_to_end.graphql import BACKFILL, BACKFILL_STATUS, SCHEDULE, SENSOR, Webserver, wait_for
from tests.end_to_end.installation import PROJECT, STRADES, Installation, installation
from tests.end_to_end.supervised import PARTS, Supervised
from tests.supervision.fakes import webhook

pytestmark = pytest.mark.slow
MONTHS = ["2012-11-01", "2012-12-01", "2013-01-01"]
READINGS = ("candles", "trades", "observations", "corporate_actions", "articles", "documents")
RECORDS = (*READINGS, "split_adjustments", "rejects")
STAGED = ("articles", "candles", "corporate_actions", "listings", "sessions", "split_adjustments")
CLEANED = (
    "markets", "session_bars", "price_conflicts", "market_bars", "growth_factors", "daily_bars", "gaps", "minute_bars",
    "news",
)  # fmt: skip
PREDICTED = ("models", "forecasts", "failures", "scores", "standings")
ASSETS = [
    ["rawsources", "yahoo"],
    ["rawsources", "ecb_history"],
    *(["records", name] for name in RECORDS),
    *(["staging", f"stg_records__{name}"] for name in STAGED),
    *(["cleaned", name] for name in (*CLEANED, "observations_by_session")),
    ["features", "daily"],
    *(["predictions", name] for name in PREDICTED),
]
FETCHES_AFTER_MINUTES = (2, 5, 8, 11)
START_SECONDS, WORK_SECONDS = 300, 900
FAST, SLOW = 10, 30


@dataclass
class Served:
    """A running `strades up`."""

    installation: Installation
    webserver: Webserver
    docs: str
    process: "subprocess.Popen[str]"
    supervised: Supervised


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """`strades up` over an installation whose Gate.io schedule ticks within the next minutes."""
    webserver, docs, sandbox = (free_port() for _ in range(3))
    now = minute_of_a_rise()
    given = {
        "STRADES_WEBSERVER_PORT": str(webserver),
        "STRADES_DOCS_PORT": str(docs),
        "STRADES_DASHBOARD_PORT": str(free_port()),
        "STRADES_SANDBOX_URL": f"http://127.0.0.1:{sandbox}",
        "STRADES_SANDBOX_NOW": now.isoformat(),
        "STRADES_SENSOR_SECONDS": "10",
    }
    with (
        webhook() as (url, alerts),
        installation(environment=given | {"STRADES_ALERT_WEBHOOK": url}, clock=now.isoformat()) as made,
    ):
        trade_at_once(made, now)
        environment = {**os.environ, **made.environment}
        log = (made.home / "up.log").open("w")
        process = subprocess.Popen(
            [STRADES, "up"], env=environment, cwd=PROJECT, stdout=log, stderr=log, text=True, start_new_session=True
        )
        running = Served(
            made,
            Webserver(f"http://127.0.0.1:{webserver}"),
            f"http://127.0.0.1:{docs}",
            process,
            Supervised(made.home, made.environment, alerts),
        )
        try:
            wait_for("the webserver", running.webserver.is_up, seconds=START_SECONDS)
            yield running
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
                process.wait(timeout=60)


def minute_of_a_rise() -> datetime:
    """The last minute at which the paper wallet's fast mean is above its slow one, so that it wants to hold something.

    The synthetic market is a function of time: what the wallet does at a held clock can be known before.
    """
    last = int(datetime.now(UTC).timestamp()) // 60
    first = (last - 600) * MINUTE
    bars = final_bars(settings().sandbox_seed, "BTC_USDT", interval=MINUTE, first=first, count=600)
    closes = [bar.close for bar in bars]
    for end in range(len(closes), SLOW, -1):
        if sum(closes[end - FAST : end]) / FAST > sum(closes[end - SLOW : end]) / SLOW:
            return datetime.fromtimestamp((last - 600 + end) * 60, UTC)
    raise AssertionError("the pair never rose in ten hours")


def trade_at_once(made: Installation, now: datetime) -> None:
    """Fetch Gate.io in two minutes, and let the paper wallet look back far enough to have decided something."""
    minutes = sorted((datetime.now(UTC).minute + wait) % 60 for wait in FETCHES_AFTER_MINUTES)
    sources = json.loads((made.home / "Sources.json").read_text())
    for website in sources["websites"]:
        if website["name"] == "gateio":
            website["schedule"] = f"{','.join(map(str, minutes))} * * * *"
    (made.home / "Sources.json").write_text(json.dumps(sources))
    wallets = json.loads((made.home / "Wallets.json").read_text())
    for wallet in wallets["wallets"]:
        if wallet["mode"] == "paper":
            wallet["opened_at"] = (now - timedelta(hours=6)).isoformat()
            wallet["parameters"] |= {"fast": FAST, "slow": SLOW} if wallet["strategy"] == "sma_cross" else {}
    (made.home / "Wallets.json").write_text(json.dumps(wallets))


def test_names_and_calendars_are_made_without_being_asked_for(served: Served) -> None:
    def listed() -> bool:
        with served.installation.connect() as connection:
            return connection.execute("SELECT 1 FROM records.listings").fetchone() is not None

    assert wait_for("the listings", listed, seconds=WORK_SECONDS)


def test_a_backfill_of_three_months_completes(served: Served) -> None:
    launched = served.webserver.ask(BACKFILL, assets=[{"path": path} for path in ASSETS], months=MONTHS)[
        "launchPartitionBackfill"
    ]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched

    def ended() -> str | None:
        status = served.webserver.ask(BACKFILL_STATUS, id=launched["backfillId"])["partitionBackfillOrError"]["status"]
        return str(status) if status not in ("REQUESTED", "COMPLETING") else None

    assert wait_for("the backfill", ended, seconds=WORK_SECONDS) == "COMPLETED_SUCCESS"
    with served.installation.connect() as connection:
        months = connection.execute(
            "SELECT DISTINCT to_char(session_date, 'YYYY-MM-01') FROM features.daily ORDER BY 1"
        ).fetchall()
    assert [month for (month,) in months] == MONTHS


def test_a_schedule_ticks_and_its_run_succeeds(served: Served) -> None:
    def ticked() -> list[str]:
        state = served.webserver.ask(SCHEDULE, name="gateio_schedule")["scheduleOrError"]["scheduleState"]
        return served.webserver.run_ids(state["ticks"])

    runs = wait_for("a tick of the schedule", ticked, seconds=WORK_SECONDS)
    status = wait_for("the run of the schedule", lambda: ended(served, runs[-1]), seconds=WORK_SECONDS)
    assert status == "SUCCESS"


def test_the_trade_sensor_launches_the_execution_and_an_order_is_made(served: Served) -> None:
    def ticked() -> list[str]:
        state = served.webserver.ask(SENSOR, name="trade_sensor")["sensorOrError"]["sensorState"]
        assert not [tick["error"] for tick in state["ticks"] if tick["status"] == "FAILURE"]
        return served.webserver.run_ids(state["ticks"])

    runs = wait_for("a request of the trade sensor", ticked, seconds=WORK_SECONDS)
    assert wait_for("the run of the trade sensor", lambda: ended(served, runs[-1]), seconds=WORK_SECONDS) == "SUCCESS"

    def ordered() -> bool:
        """Several wallets decide: what a first run is launched for may be refused, as it is too old or not chosen."""
        with served.installation.connect() as connection:
            orders = connection.execute("SELECT count(*) FROM trading.orders WHERE broker = 'paper'").fetchone()
            venue = connection.execute("SELECT count(*) FROM trading.paper_venue_orders").fetchone()
        return orders is not None and orders[0] >= 1 and orders == venue

    wait_for("an order at the venue", ordered, seconds=WORK_SECONDS)


def ended(served: Served, run_id: str) -> str | None:
    """The status of a run that is over."""
    status = served.webserver.run_status(run_id)
    return status if status in ("SUCCESS", "FAILURE", "CANCELED") else None


def test_the_docs_show_the_models(served: Served) -> None:
    with urllib.request.urlopen(f"{served.docs}/index.html", timeout=30) as page:
        text = page.read().decode()
    assert "model.strades.daily_bars" in text


def test_a_second_start_says_where_the_first_is(served: Served) -> None:
    done = served.installation.strades("up")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [f"strades: up already, at {served.webserver.url}; Ctrl-C there stops it"]


def test_the_terminal_says_where_to_look(served: Served) -> None:
    wait_for("the address", lambda: served.webserver.url in terminal(served), seconds=START_SECONDS)  # all parts work
    assert served.docs in terminal(served)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_killed_is_started_again_and_told_once(served: Served, part: str) -> None:
    disturb_and_recover(served.supervised, part, signal.SIGKILL)


def test_a_part_that_hangs_is_started_again_and_told_once(served: Served) -> None:
    # What hangs soon after the database came back is taken for a consequence of that, and not told of its own.
    time.sleep(Timing().patience + Timing().settle / 2)
    disturb_and_recover(served.supervised, "webserver", signal.SIGSTOP)


def disturb_and_recover(supervised: Supervised, part: str, number: signal.Signals) -> None:
    """Send a signal to a part; it works again, and exactly one alert was sent.

    A run that failed since a part before it was away is told too, some time later.
    """
    before = len(supervised.alerts)
    supervised.disturb(part, number, seconds=START_SECONDS)

    def about() -> list[str]:
        names = [alert["subject"].split()[0] for alert in supervised.alerts[before:]]
        return [name for name in names if name != "run"]

    wait_for("the alert", about, seconds=START_SECONDS)  # it is sent beside the restart, and may come after it
    assert about() == [part]


def test_parts_find_no_secret_in_their_environment_that_they_do_not_need(served: Served) -> None:
    secrets = {"STRADES_ALERT_WEBHOOK", "DAGSTER_PG_URL", "DATABASE_URL"}
    found = {
        part: secrets & set(psutil.Process(served.supervised.pid(part)).environ())
        for part in ("sandbox", "docs", "webserver", "daemon")
    }
    assert found == {"sandbox": set(), "docs": set(), "webserver": {"DAGSTER_PG_URL"}, "daemon": {"DAGSTER_PG_URL"}}


def test_it_listens_on_loopback_alone_and_not_on_ipv6(served: Served) -> None:
    wait_for("the docs", lambda: served.supervised.answers("docs", datetime.now(UTC)), seconds=START_SECONDS)
    bound = {
        (made.family, made.laddr.ip, made.laddr.port)
        for process in served.supervised.processes()
        for made in connections(process)
        if made.status == psutil.CONN_LISTEN or made.type == socket.SOCK_DGRAM
    }
    assert {(family, address) for family, address, _ in bound} == {(socket.AF_INET, "127.0.0.1")}
    given = served.installation.environment
    dashboard = int(given["STRADES_DASHBOARD_PORT"])
    urls = (served.webserver.url, served.docs, given["STRADES_SANDBOX_URL"])
    database = int((served.installation.home / "postgres" / "port").read_text())
    assert {port for _, _, port in bound} == {database, dashboard, *(urlsplit(url).port for url in urls)}


def connections(process: psutil.Process) -> list[Any]:
    """Its sockets; none of one that has ended."""
    try:
        return list(process.net_connections("inet"))
    except psutil.NoSuchProcess:
        return []


def test_what_the_installation_writes_is_for_its_owner_alone(served: Served) -> None:
    home = served.installation.home
    assert home.stat().st_mode & 0o077 == 0
    made = [home / name for name in ("logs/up.log", "up.json", "run")]
    assert [path.stat().st_mode & 0o077 for path in made] == [0, 0, 0]
    assert stat.S_ISSOCK((home / "run" / "code.sock").stat().st_mode)


def test_ctrl_c_stops_all_of_it(served: Served) -> None:
    os.killpg(served.process.pid, signal.SIGINT)
    assert served.process.wait(timeout=60) == 128 + signal.SIGINT
    assert not served.webserver.is_up()
    assert left_of(served.installation) == []
    assert "Traceback" not in terminal(served)


def test_an_up_that_is_killed_leaves_nothing_and_is_told_once(served: Served) -> None:
    """The last one: it starts the installation again, which was stopped above."""
    made, supervised = served.installation, served.supervised
    process = subprocess.Popen(
        [STRADES, "up"], env={**os.environ, **made.environment}, cwd=PROJECT, stderr=subprocess.DEVNULL
    )
    wait_for("the webserver", served.webserver.is_up, seconds=START_SECONDS)
    before = len(supervised.alerts)
    process.kill()
    process.wait()
    wait_for("nothing left", lambda: left_of(made) == [], seconds=60, pause=0.2)
    assert [alert["subject"] for alert in supervised.alerts[before:]] == ["strades up was killed"]
    assert not (made.home / "up.json").exists()


def terminal(served: Served) -> str:
    """What `strades up` printed."""
    return (served.installation.home / "up.log").read_text()


def left_of(made: Installation) -> list[str]:
    """The processes of an installation, its database included."""
    found = []
    for process in psutil.process_iter():
        try:
            ours = process.environ().get("STRADES_HOME") == str(made.home)
            command = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if ours or str(made.home) in command:
            found.append(command)
    return found
