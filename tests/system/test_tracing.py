"""Traces: what a collector is sent of runs, steps and orders, and that nothing depends on one."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import dagster as dg
import pytest
from dagster._core.events import DagsterEvent
from dagster._core.execution.plan.objects import StepFailureData
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import SpanProcessor

from strades_pipelines.defs.executor import stoppable_executor
from strades_pipelines.defs.run_spans import RunSpans
from strades_pipelines.settings import PROJECT
from strades_pipelines.system import tracing
from strades_pipelines.system.ports import free_port
from strades_pipelines.system.secret_values import masked
from strades_pipelines.system.tracing import EXPORT_SECONDS, span

HEADERS: list[Any] = []  # of what the collector was last sent
SECRET = "postgresql://ada:pa55word@h/x"


@contextmanager
def collector() -> Iterator[tuple[str, list[Any]]]:
    """The address of a collector, and the spans that it got."""
    spans: list[Any] = []
    HEADERS.clear()

    class Collect(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            HEADERS.append(self.headers)
            body = self.rfile.read(int(self.headers["Content-Length"]))
            for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                assert {"strades"} <= {each.value.string_value for each in of_resource.resource.attributes}
                spans.extend(one for scope in of_resource.scope_spans for one in scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Collect) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1/traces", spans
        server.shutdown()


@pytest.fixture
def traced(give_settings: Callable[..., None]) -> Iterator[Callable[[str], Callable[[], None]]]:
    """Has spans go to an address; gives what sends those that wait."""

    def use(url: str) -> Callable[[], None]:
        give_settings(traces_url=url)
        tracing._tracer.cache_clear()
        return lambda: tracing._tracer().span_processor.force_flush()

    yield use
    tracing._tracer.cache_clear()


def ids_of(found: Any) -> dict[str, str]:
    return {each.key.removeprefix("strades."): each.value.string_value for each in found.attributes}


@dg.op
def works() -> None: ...


@dg.op(ins={"after": dg.In(dg.Nothing)})
def fails() -> None:
    raise ValueError(SECRET)


@dg.job(executor_def=stoppable_executor)
def two_steps() -> None:
    fails(works())


def test_a_run_and_its_steps_are_one_trace_without_what_an_error_says(
    traced: Callable[[str], Callable[[], None]],
) -> None:
    with collector() as (url, spans):
        send = traced(url)
        with dg.instance_for_test() as instance:  # as a launched run: `execute_in_process` has an executor of its own
            run_id = dg.execute_job(dg.reconstructable(make_two_steps), instance, raise_on_error=False).run_id
        send()
    by_name = {(found.name, ids_of(found).get("step", "")): found for found in spans}
    run, good, bad = by_name["run", ""], by_name["step", "works"], by_name["step", "fails"]
    assert ids_of(run) == {"run": run_id, "job": "two_steps"}
    assert run.parent_span_id == b""
    assert {good.parent_span_id, bad.parent_span_id} == {run.span_id}
    assert {run.trace_id, good.trace_id, bad.trace_id} == {run.trace_id}
    assert run.start_time_unix_nano <= good.start_time_unix_nano <= good.end_time_unix_nano
    assert good.end_time_unix_nano <= bad.start_time_unix_nano <= run.end_time_unix_nano
    assert [found.status.message for found in (run, good, bad)] == ["failed", "", "failed"]
    assert "pa55word" not in str(spans)


def make_two_steps() -> dg.JobDefinition:
    """What a launched run loads."""
    return two_steps


def test_a_block_is_a_span_and_its_error_is_told_by_its_kind(traced: Callable[[str], Callable[[], None]]) -> None:
    with collector() as (url, spans):
        send = traced(url)
        with pytest.raises(ValueError, match="pa55word"), span("order", wallet="paper"):
            raise ValueError(SECRET)
        send()
    [found] = spans
    assert (found.name, ids_of(found), found.status.message) == ("order", {"wallet": "paper"}, "ValueError")
    assert "pa55word" not in str(found)


PROGRAM = """
import sys
from strades_pipelines.system.tracing import span
with span("order", wallet="paper"):
    pass
print(any(name.startswith("opentelemetry") for name in sys.modules))
"""


@pytest.mark.parametrize("is_on", [False, True])
def test_without_the_setting_nothing_is_loaded_and_a_collector_that_is_away_holds_no_process_up(is_on: bool) -> None:
    url = f"http://127.0.0.1:{free_port()}/v1/traces" if is_on else ""
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=PROJECT, capture_output=True, text=True, check=True, timeout=60,
        env={"STRADES_TRACES_URL": url},
    )  # fmt: skip
    assert done.stdout == f"{is_on}\n"
    assert "Traceback" not in done.stderr
    assert time.monotonic() - begun < 30


def test_a_step_that_was_stopped_has_an_end(traced: Callable[[str], Callable[[], None]]) -> None:
    with collector() as (url, spans):
        send = traced(url)
        with RunSpans("r", "main") as run:
            run.follow(DagsterEvent("STEP_START", "main", step_key="works"))
        send()
    assert {(found.name, found.status.message) for found in spans} == {("run", "stopped"), ("step", "stopped")}


def test_a_step_that_fails_when_it_is_tried_again_fails_the_run(traced: Callable[[str], Callable[[], None]]) -> None:
    with collector() as (url, spans):
        send = traced(url)
        with RunSpans("r", "main") as run:
            failure = StepFailureData(error=None, user_failure_data=None)  # type: ignore[no-untyped-call]
            for kind in ("STEP_START", "STEP_UP_FOR_RETRY", "STEP_RESTARTED", "STEP_FAILURE"):
                data = failure if kind == "STEP_FAILURE" else None
                run.follow(DagsterEvent(kind, "main", step_key="works", event_specific_data=data))
        send()
    assert [(found.name, found.status.message) for found in spans] == [
        ("step", "tried again"),
        ("step", "failed"),
        ("run", "failed"),
    ]


@pytest.mark.parametrize(("error", "word"), [(ValueError(SECRET), "failed"), (KeyboardInterrupt(), "stopped")])
def test_what_ends_a_run_beside_its_steps_is_told(
    traced: Callable[[str], Callable[[], None]], error: BaseException, word: str
) -> None:
    with collector() as (url, spans):
        send = traced(url)
        with pytest.raises(type(error)), RunSpans("r", "main"):
            raise error
        with RunSpans("before its first step", "main") as run:
            run.fail()
        send()
    assert [found.status.message for found in spans] == [word, "failed"]


@pytest.mark.parametrize(
    ("variable", "value"), [("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4096"), ("OTEL_BSP_SCHEDULE_DELAY", "0")]
)
def test_a_variable_of_opentelemetry_that_is_wrong_costs_the_spans_and_not_the_work(
    traced: Callable[[str], Callable[[], None]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    variable: str,
    value: str,
) -> None:
    monkeypatch.setenv(variable, value)
    traced(f"http://127.0.0.1:{free_port()}/v1/traces")
    for _ in range(2):
        with span("order", wallet="paper"):
            pass
    [line] = [record.getMessage() for record in caplog.records if record.name == tracing.__name__]
    assert line.startswith("STRADES_TRACES_URL: OpenTelemetry cannot be used, no traces (ValueError: ")


class FailsAt(SpanProcessor):  # type: ignore[misc]
    """A part of OpenTelemetry that fails where a span begins or ends."""

    def __init__(self, moment: str) -> None:
        self._moment = moment

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        self._fail("start")

    def on_end(self, span: Any) -> None:
        self._fail("end")

    def _fail(self, moment: str) -> None:
        if moment == self._moment:
            raise RuntimeError(SECRET)


@pytest.mark.parametrize("moment", ["start", "end"])
def test_a_span_that_fails_costs_the_span_and_not_the_work(
    traced: Callable[[str], Callable[[], None]], caplog: pytest.LogCaptureFixture, moment: str
) -> None:
    tracing._warn.cache_clear()
    traced(f"http://127.0.0.1:{free_port()}/v1/traces")
    tracing._tracer().span_processor.add_span_processor(FailsAt(moment))
    for _ in range(2):
        with span("order", wallet="paper"):
            pass
    [line] = [record.getMessage() for record in caplog.records if record.name == tracing.__name__]
    assert line.endswith("no traces (RuntimeError)")


def test_headers_of_the_collector_are_sent_and_masked(
    traced: Callable[[str], Callable[[], None]], give_settings: Callable[..., None]
) -> None:
    with collector() as (url, _):
        give_settings(traces_headers="api-key=pa55word-of-ada,  x-team = desk")
        send = traced(url)
        with span("order", wallet="paper"):
            pass
        send()
    assert [(sent["api-key"], sent["x-team"]) for sent in HEADERS] == [("pa55word-of-ada", "desk")]
    assert masked("pa55word-of-ada") == "***"


def test_a_collector_that_never_answers_has_two_seconds_at_the_end_of_a_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1/traces"
        done = subprocess.run(
            [sys.executable, "-c", SPANS], cwd=PROJECT, capture_output=True, text=True, check=True,
            timeout=60, env={"STRADES_TRACES_URL": url},
        )  # fmt: skip
        took = time.time() - float(done.stdout)
    assert took < EXPORT_SECONDS + 4  # with the interpreter's own end on a busy machine; it was four times two


SPANS = """
import time
from strades_pipelines.system.tracing import span
for _ in range(2000):
    with span("order", wallet="paper"):
        pass
print(time.time())
"""
