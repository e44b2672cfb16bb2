"""`strades run`: the whole graph over a window, as a few in-process runs on the Dagster instance.

Fetching and working are runs of their own, so that a dead source stops nothing but itself.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from strades_pipelines.database.connection import connect
from strades_pipelines.database.crash import crash_point
from strades_pipelines.database.reports import save_report
from strades_pipelines.database.row_counts import count_rows
from strades_pipelines.keys import LAYERS
from strades_pipelines.orchestration.graph_runs import TRADE_LAYERS, GraphRuns, Progress, graph_runs
from strades_pipelines.orchestration.report import LAYER_TABLES
from strades_pipelines.partitions import Window
from strades_pipelines.settings import settings

WORK_LAYERS = [layer for layer in LAYERS if layer != "rawsources"]
LAST_LAYERS = ("marts", "ops")
# The wallets that trade, and the last replay of each template over this window.
PERFORMANCE = """
    SELECT
        p.wallet, w.mode, p.statistics, p.benchmark,
        (SELECT count(*) FROM trading.fills AS f WHERE f.wallet = p.wallet) AS fills
    FROM results.performance AS p INNER JOIN trading.wallets AS w USING (wallet)
    LEFT JOIN trading.replays AS r USING (wallet)
    WHERE w.mode <> 'replay' OR (r.opened_at, r.window_end) = (%s, %s)
    ORDER BY w.mode DESC, p.wallet
"""
# How far each strategy's trading was what a backtest says it is, over all days compared so far.
PARITY = """
    SELECT DISTINCT ON (mode, strategy) mode, strategy, day, decision_score, fill_score
    FROM results.strategy_parity ORDER BY mode, strategy, day DESC
"""


def run_main_job(window: Window, *, progress: Progress) -> dict[str, Any]:
    """Fetch, work through every layer, trade and report; `progress` gets a line for each step.

    Returns:
        The report of design's `report --json`, with `failures`, which is empty only if every layer did its work.
    """
    with graph_runs("main", progress) as runs:
        for title, layers, stretch, live in stages(window, settings().now()):
            progress(f"[bold]{title}[/]")
            selection = [key for key in runs.graph.executable_asset_keys if key.path[0] in layers]
            runs.execute(selection, stretch, live=live)
    document = build_report(window, runs)
    save_report(document, settings().now())
    crash_point("ops.report_saved")
    return document


def stages(window: Window, now: datetime) -> Iterator[tuple[str, list[str], Window, bool]]:
    """The runs, in order: what is fetched and worked over the window, then the same at the live edge (True)."""
    edge = Window(now.replace(day=1, hour=0, minute=0, second=0, microsecond=0), now + timedelta(microseconds=1))
    at_edge = window.month_range()[1] >= edge.month_range()[0]
    yield "fetch the window", ["rawsources"], window, False
    if not at_edge:
        yield "fetch the live edge", ["rawsources"], edge, True
    # Views are made once; tables for people, and what happened, when all else is done.
    layers = [layer for layer in WORK_LAYERS if layer not in LAST_LAYERS]
    yield "work through the window", layers, window, False
    again = (*TRADE_LAYERS, *LAST_LAYERS) if at_edge else [layer for layer in WORK_LAYERS if layer != "staging"]
    layers = [layer for layer in WORK_LAYERS if layer in again]
    yield "trade at the live edge", layers, edge, True


def build_report(window: Window, runs: GraphRuns) -> dict[str, Any]:
    """The document of a run: rows and seconds of each layer, what was traded, and how it did."""
    seconds: dict[str, float] = defaultdict(float)
    for step, spent in runs.seconds.items():
        seconds[re.split("[_/]", step)[0]] += spent
    with connect() as connection:
        # Those of dbt are not there before dbt has built them for the first time.
        count = partial(count_rows, connection)
        performance = connection.execute(PERFORMANCE, [window.start, window.end]).fetchall()
        example = connection.execute("SELECT fill_id FROM trading.fills ORDER BY filled_at, fill_id LIMIT 1").fetchone()
        return {
            "world": settings().world,
            "window": {"from": f"{window.start:%Y-%m-%d}", "to": f"{window.end:%Y-%m-%d}"},
            "rows": {layer: sum(map(count, tables)) for layer, tables in LAYER_TABLES.items()},
            "seconds": {layer: round(spent, 3) for layer, spent in seconds.items()},
            "models": count("predictions.models"),
            "decisions": count("signals.decisions"),
            "orders": count("trading.orders"),
            "fills": count("trading.fills"),
            "performance": [
                {"wallet": wallet, "mode": mode, "statistics": statistics, "benchmark": benchmark, "fills": fills}
                for wallet, mode, statistics, benchmark, fills in performance
            ],
            "parity": [
                {"mode": mode, "strategy": strategy, "day": str(day), "decisions": decisions, "fills": fills}
                for mode, strategy, day, decisions, fills in connection.execute(PARITY)
            ],
            "failures": runs.failures,
            "example_fill": example[0] if example else None,
        }
