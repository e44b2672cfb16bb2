"""The report as a person reads it."""

import io

from rich.console import Console

from strades_pipelines.report import LAYER_TABLES, show
from tests.dbt_project.building import rows, run_dbt


def test_layers_are_shown_in_the_order_of_the_flow_however_the_document_came_back() -> None:
    # As jsonb keeps keys: by length, then by letter.
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
    }
    printed = io.StringIO()
    show(document, Console(file=printed, width=120))
    words = [line.split()[0] for line in printed.getvalue().splitlines() if line.strip()]
    flow = ["rawsources", "records", "cleaned", "features", "predictions", "signals", "trading", "results", "marts"]
    assert [word for word in words if word in LAYER_TABLES] == flow


def test_no_layers_rows_are_counted_by_working_out_a_view(database_url: str) -> None:
    run_dbt(database_url, ("run",))
    views = {name for (name,) in rows(database_url, "SELECT schemaname || '.' || viewname FROM pg_views")}
    assert views & {table for tables in LAYER_TABLES.values() for table in tables} == set()
