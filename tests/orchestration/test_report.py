"""The report as a person reads it."""

import io

from rich.console import Console

from strades_pipelines.orchestration.report import LAYER_TABLES, show
from tests.dbt_project.building import rows, run_dbt


def printed(**more: object) -> str:
    """A report with empty layers, whose document came back as jsonb keeps it: by length of the keys, then by letter."""
    stored = sorted(LAYER_TABLES, key=lambda layer: (len(layer), layer))
    document: dict[str, object] = {
        "world": "sandbox",
        "window": {"from": "2013-02-01", "to": "2013-03-01"},
        "rows": dict.fromkeys(stored, 1),
        "seconds": dict.fromkeys(stored, 2.0),
        "performance": [],
        "failures": [],
        "example_fill": None,
        **dict.fromkeys(("models", "decisions", "orders", "fills"), 0),
        **more,
    }
    written = io.StringIO()
    show(document, Console(file=written, width=120))
    return written.getvalue()


def test_layers_are_shown_in_the_order_of_the_flow_however_the_document_came_back() -> None:
    words = [line.split()[0] for line in printed().splitlines() if line.strip()]
    flow = ["rawsources", "records", "cleaned", "features", "predictions", "signals", "trading", "results", "marts"]
    assert [word for word in words if word in LAYER_TABLES] == flow


def test_how_far_each_strategy_trades_as_its_backtest_is_shown_where_that_was_compared() -> None:
    row = {"mode": "paper", "strategy": "sma_cross", "day": "2024-01-02", "decisions": 1.0, "fills": None}
    [line] = [line.split() for line in printed(parity=[row]).splitlines() if "sma_cross" in line]
    assert line == ["sma_cross", "2024-01-02", "100.0%", "-"]
    assert "As a backtest says" not in printed(parity=[])
    assert "As a backtest says" not in printed()


def test_no_layers_rows_are_counted_by_working_out_a_view(database_url: str) -> None:
    run_dbt(database_url, ("run",))
    views = {name for (name,) in rows(database_url, "SELECT schemaname || '.' || viewname FROM pg_views")}
    assert views & {table for tables in LAYER_TABLES.values() for table in tables} == set()
