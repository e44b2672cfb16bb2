"""How long pages of the dashboard take on a firm's data, and how often each asks the database.

The synthetic database of `benchmarks.dashboard_data` on a PostgreSQL of its own; Django in this process, by its test
client: rights, queries and templates are in the figures, the way over HTTP is not. `DASHBOARD_ROUNDS` (20) pages each.
"""

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.dashboard_data import END, FILLS, FIRST_STOCK, MINUTE_DAYS, PAIRS, STOCKS, WALLET, YEARS, fill_database
from benchmarks.databases import empty_database

if TYPE_CHECKING:
    from django.test import Client

ROUNDS = int(os.environ.get("DASHBOARD_ROUNDS", "20"))
NO_QUERY = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "SET ")
PAGE_MS, CHART_MS, SEARCH_MS = 300, 150, 150
DAY = f"{END:%Y-%m-}29"
CHARTS = (
    f"/markets/{FIRST_STOCK}/?range=all",
    f"/markets/{FIRST_STOCK}/?range=all&as_of=2016-01-04T00:00",
    "/markets/1/?range=all&interval=1m",
    f"/markets/{FIRST_STOCK}/?range=all&view=table",
)
SEARCHES = ("/search/?q=S1", "/search/?q=says", "/search/?q=d99", "/search/?q=nothing+of+the+kind")
PAGES = (
    "/",
    *("/decisions/d77/", "/trace/f77/", "/bodies/77/", "/markets/", "/states/"),
    *("/news/", "/news/?words=4711", "/news/article/?source=feed1&article=article+4711"),
    *("/statistics/", "/statistics/series/?series=SERIES:042", "/reports/", "/reports/?form=10-K"),
    *("/reports/filing/?source=sec&document=filing+77", "/notations/", "/wallets/", f"/wallets/{WALLET}/"),
    *(f"/wallets/{WALLET}/{part}/" for part in ("performance", "returns", "round-trips", "comparison", "verification")),
    f"/wallets/{WALLET}/verification/?lines",
    *("/bots/", f"/historic/?wallet={WALLET}", f"/historic/{DAY}/?wallet={WALLET}", f"/agenda/?day={DAY}"),
    *("/automation/", "/automation/requests/", "/automation/backfill/", "/calendar/", "/data/"),
    *("/data/records/candles/", "/data/trading/fills/", "/data/cleaned/daily_bars/", "/data/changes/"),
    f"/data/records/candles/?column=listing_id&operator=eq&value={FIRST_STOCK}&sort=-listing_id,interval,open_time",
    *("/data/changes/record-candle/", "/data/changes/file/", "/data/software/", "/data/software/report/"),
    *("/halt/", "/resume/", "/commands/", "/start/", f"/choice/?day={DAY}", "/settings/", "/people/"),
)


@dataclass(frozen=True)
class Page:
    """A page's figures in ms: of the clock, and of the processor (Django, PostgreSQL), which other work slows less."""

    path: str
    status: int
    queries: int
    p50: float
    p95: float
    processor: float


def main() -> None:
    """Print p50, p95 and the number of queries of each page, the slowest last."""
    with empty_database() as url, tempfile.TemporaryDirectory(prefix="strades-bench-home-") as folder:
        started = time.perf_counter()
        fill_database(url, Path(folder) / "dbt")
        minutes = (time.perf_counter() - started) / 60
        print(f"{STOCKS} stocks x {YEARS} years, {PAIRS} symbols x {MINUTE_DAYS} days of minutes, {FILLS:,} fills")
        print(f"synthetic, written in {minutes:.1f} min; load {os.getloadavg()[0]:.1f}")
        client = signed_in(url, folder)
        for title, paths, limit in (
            ("pages", PAGES, PAGE_MS),
            ("charts of up to 1,000 bars", CHARTS, CHART_MS),
            ("search", SEARCHES, SEARCH_MS),
        ):
            print(f"\n{title}: p95 at most {limit} ms")
            for page in sorted((measure(client, path) for path in paths), key=lambda page: page.p95):
                over = "" if page.p95 <= limit else "  OVER"
                print(
                    f"p50 {page.p50:6.1f}  p95 {page.p95:6.1f}  processor {page.processor:6.1f} ms"
                    f"  {page.queries:2} queries  {page.status}  {page.path}{over}"
                )
        print(f"load {os.getloadavg()[0]:.1f} at the end")


def signed_in(url: str, home: str) -> "Client":
    """A browser of an admin, on the dashboard of this database."""
    names = {"STRADES_DASHBOARD_DATABASE": url, "STRADES_HOME": home, "STRADES_SANDBOX_NOW": END.isoformat()}
    os.environ |= names | {"STRADES_WEBSERVER_PORT": "1", "DJANGO_SETTINGS_MODULE": "dashboard.settings"}
    from strades_pipelines.settings import settings

    settings.cache_clear()
    import django

    django.setup()
    from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
    from django.test import Client

    from dashboard.accounts.models import User
    from dashboard.accounts.roles import Role
    from dashboard.prepare import prepare

    prepare()
    user = User.objects.create(pseudo="bench", password="!", role=Role.ADMIN)
    TOTP.activate(user, generate_totp_secret())
    client = Client(SERVER_NAME="127.0.0.1", raise_request_exception=False)
    client.force_login(user)
    return client


def measure(client: "Client", path: str) -> Page:
    """Ask for a page again and again."""
    from django.db import connections
    from django.test.utils import CaptureQueriesContext

    client.get(path)  # templates are compiled, pages of the table in memory
    with (
        CaptureQueriesContext(connections["default"]) as own,
        CaptureQueriesContext(connections["layers"]) as layers,
    ):
        status = client.get(path).status_code
    # The next request empties both. What opens and closes a transaction reads nothing.
    queries = sum(not query["sql"].startswith(NO_QUERY) for log in (own, layers) for query in log.captured_queries)
    spent = []
    before = time.process_time() + backend_seconds()
    for _ in range(ROUNDS):
        started = time.perf_counter()
        client.get(path)
        spent.append(1000 * (time.perf_counter() - started))
    processor = 1000 * (time.process_time() + backend_seconds() - before) / ROUNDS
    p50, p95 = np.percentile(spent, [50, 95])
    return Page(path, status, queries, float(p50), float(p95), processor)


def backend_seconds() -> float:
    """The processor's time that PostgreSQL spent for Django's two connections so far; they stay open."""
    from django.db import connections

    ticks = 0
    for alias in ("default", "layers"):
        connections[alias].ensure_connection()
        pid = connections[alias].connection.info.backend_pid
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])  # utime and stime
    return ticks / os.sysconf("SC_CLK_TCK")
