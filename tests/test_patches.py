"""Layers of our own are not patched: what a test says of them would be true of the patch."""

import ast
import re
from collections.abc import Iterator

from strades_pipelines.settings import PROJECT

TESTS = PROJECT / "tests"
OWN = ("dashboard", "sandbox", "scaffold", "scrapers", "strades_pipelines")
PATCHING = ("setattr", "delattr", "setitem", "delitem", "object")
STRADES = "strades_pipelines"
LIBRARY = f"{STRADES}.strategy.registry.strategies."
CONSTANT = re.compile(r"[A-Z][A-Z0-9_]*")

SPY = "a spy: what it counts is called all the same"
LEAK = "a planted leak: the law that finds it is what is tested"
FAULT = "a fault of ours that nobody can bring about from outside"
# What is patched all the same, by file, and why no real part, argument or crash point stands there.
EXCEPTIONS: dict[str, dict[str, str]] = {
    "brokerage/brokers/test_ccxt.py": {"?.api.server_error": "the sandbox repeats nobody's keys; this venue does"},
    "brokerage/test_canary_keys.py": {
        f"{STRADES}.brokerage.brokers.alpaca.account.new_client": "the live address, answered in this process",
        f"{STRADES}.system.secret_values._known": "the memory of this process, which other tests have filled",
    },
    "brokerage/test_dead_man.py": {
        f"{STRADES}.brokerage.trade_pass.venue_for": "the paper venue has no switch, and no other fills by itself"
    },
    "brokerage/test_order_streams.py": {
        f"{STRADES}.system.stopping.begin_nothing_more_if_requested": "a loop ends with its process, this one in it"
    },
    "brokerage/test_stream_desk.py": {f"{STRADES}.brokerage.stream_desk.adbc_connect": FAULT},
    "dashboard/test_audit.py": {"?.end": "the instant before a commit, which is Django's"},
    "dashboard/test_datamanager.py": {"dashboard.gateway.rows.monotonic": "the clock"},
    "dashboard/test_failures.py": {"dashboard.core.frame.read_installation": FAULT},
    "dashboard/test_feeds.py": {"dashboard.scheduler.feeds.write_calendar": FAULT},
    "dashboard/test_security.py": {"?.stream": "Python's own: where a handler of logging writes to"},
    "database/test_fake_server.py": {
        f"{STRADES}.resources.dbt_project._dbt_lock": "the fake server answers no query, and dbt's connection is tested"
    },
    "datamanager/test_sources.py": {f"{STRADES}.datamanager.sources.load_protocol": "no protocol of ours needs a key"},
    "engine/test_compiled.py": {"?.?": "a replaced method is what is tested"},
    "engine/test_precomputed_indicators.py": {f"{STRADES}.engine.precomputed_indicators.UpdateCode.run": SPY},
    "ingestion/streams/test_recorder.py": {"?.recorder.run": FAULT, "?.writer.store": FAULT},
    "ingestion/streams/test_stream_client.py": {
        "?._receive": SPY,
        "?.stream": "a protocol with another limit",
        f"{STRADES}.ingestion.streams.stream_client.open_socket": "a server whose name is looked up nowhere",
        f"{STRADES}.ingestion.streams.stream_client.wire_url": "a server of this test in place of the provider's",
    },
    "ingestion/streams/test_writer.py": {f"{STRADES}.ingestion.streams.writer.ask_again": "a provider that answers"},
    "ingestion/test_bounded_parse.py": {f"{STRADES}.ingestion.bounded_parse.parse": FAULT},
    "ingestion/test_discrepancies.py": {
        f"{STRADES}.ingestion.discrepancies.find_outliers": SPY,
        f"{STRADES}.ingestion.discrepancies.compare_findings": "a person who accepts between two statements",
        f"{STRADES}.ingestion.discrepancies.propose_repair": FAULT,
    },
    "ingestion/test_exclusions.py": {f"{STRADES}.ingestion.exclusions.read_rows": SPY},
    "ingestion/test_history.py": {f"{STRADES}.ingestion.stored_rows.parse_bounded": "the next parser"},
    "operations/test_gap_closing.py": {
        f"{STRADES}.operations.gap_closing.backfill": "months of a backfill, which test_backfilling.py runs",
        f"{STRADES}.operations.gap_closing.launch": "fails where it is called",
    },
    "predictor/test_no_lookahead.py": {f"{STRADES}.predictor.walk_forward.training_set": LEAK},
    "predictor/test_provenance.py": {f"{STRADES}.predictor.provenance.?": LEAK},
    "strategy/test_registry.py": {f"{STRADES}.strategy.library.__path__": "a second folder of strategies"},
    "system/test_isolation.py": {f"{STRADES}.system.isolation._landlock_abi": "a kernel without Landlock"},
    "system/test_child_environment.py": {
        f"{STRADES}.settings.Settings.model_config.env_file": "pydantic's: the place of the file with secrets"
    },
    "test_movable_schedule.py": {
        f"{STRADES}.defs.automation.movable_schedule.recent_overrides": "one of its own, which forgets with the test"
    },
    "test_rawsources.py": {f"{STRADES}.datamanager.planning.load_protocol": "no protocol of ours needs a key"},
}


def imported(tree: ast.Module) -> dict[str, str]:
    """Names of a file by what they were imported from; those of the tests themselves stand for parts of ours."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.asname or alias.name.partition(".")[0]: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return found


def patched(tree: ast.Module) -> Iterator[str]:
    """What a file patches of ours, as `module.name` or, where only running it would tell the module, `?.name`.

    A constant is none of it, nor an entry of one: a limit that a test can reach is the same code. Nor is a strategy
    that a test puts beside those of the library.
    """
    names = imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom | ast.Import):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from (module for module in modules if module.split(".")[-1] == "mock")
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
            continue
        if node.func.attr not in PATCHING or not isinstance(node.func.value, ast.Name):
            continue
        target = patch_target(node, names)
        if not target.startswith((*(f"{package}." for package in OWN), "tests.", "?")):
            continue
        if not any(CONSTANT.fullmatch(part) for part in target.split(".")) and not target.startswith(LIBRARY):
            yield target


def patch_target(call: ast.Call, names: dict[str, str]) -> str:
    """What one call patches."""
    first, *others = call.args
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        return first.value
    root = first
    parts = [str(others[0].value) if others and isinstance(others[0], ast.Constant) else "?"]
    while isinstance(root, ast.Attribute | ast.Call | ast.Subscript):
        if isinstance(root, ast.Attribute):
            parts.insert(0, root.attr)
        root = root.func if isinstance(root, ast.Call) else root.value
    return ".".join([names.get(root.id, "?") if isinstance(root, ast.Name) else "?", *parts])


def test_no_layer_of_ours_is_patched_but_for_what_the_table_says() -> None:
    found = {
        str(path.relative_to(TESTS)): sorted(patched(ast.parse(path.read_text(encoding="utf-8"))))
        for path in sorted(TESTS.rglob("*.py"))
    }
    patches = {file: set(targets) for file, targets in found.items() if targets}
    allowed = {file: set(reasons) for file, reasons in EXCEPTIONS.items()}
    new = {file: left for file, targets in patches.items() if (left := targets - allowed.get(file, set()))}
    assert new == {}, "use a real part, an argument, or a crash point (tests/dying.py)"
    gone = {file: left for file, targets in allowed.items() if (left := targets - patches.get(file, set()))}
    assert gone == {}, "these are not patched any more: take them out of the table"


def test_a_patch_is_seen_however_it_is_written() -> None:
    source = """
import os
from strades_pipelines.market import fees
from strades_pipelines.market.fees import Schedule
from strades_pipelines.strategy.registry import strategies
from unittest.mock import Mock

def test(monkeypatch, bench):
    monkeypatch.setattr(os, "replace", None)
    monkeypatch.setattr(fees, "fee_of", lambda: 1)
    monkeypatch.setattr(fees, "LIMIT", 1)
    with monkeypatch.context() as patch:
        patch.setattr("dashboard.core.frame.read", None)
        patch.setattr(Schedule(1).table, "rate", None)
        patch.delattr(bench.broker, "send")
        patch.setitem(strategies(), "mine", None)
        patch.setitem(fees.TABLE, "x", None)
"""
    assert sorted(patched(ast.parse(source))) == [
        "?.broker.send",
        "dashboard.core.frame.read",
        "strades_pipelines.market.fees.Schedule.table.rate",
        "strades_pipelines.market.fees.fee_of",
        "unittest.mock",
    ]
