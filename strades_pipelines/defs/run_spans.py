"""A run and its steps as spans of a trace, by the events that the run writes."""

import dagster as dg

from strades_pipelines.system.tracing import Span, begin_span

BEGINNINGS = ("STEP_START", "STEP_RESTARTED")
ENDS = {"STEP_SUCCESS": None, "STEP_SKIPPED": "skipped", "STEP_FAILURE": "failed", "STEP_UP_FOR_RETRY": "tried again"}


class RunSpans:
    """The spans of one run: its own, and one for each step below it."""

    def __init__(self, run_id: str, job: str) -> None:
        self._run = begin_span("run", run=run_id, job=job)
        self._steps: dict[str, Span] = {}
        self._failed = False

    def __enter__(self) -> "RunSpans":
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        """End all that have begun; a step without an end was stopped, as is a run that no `Exception` ends."""
        for step in self._steps.values():
            step.end("stopped")
        is_stopped = self._steps if error is None else not issubclass(error, Exception)
        self._failed |= error is not None
        self._run.end("stopped" if is_stopped else "failed" if self._failed else None)

    def fail(self) -> None:
        """Say that the run failed, whatever its steps said: it may have had none."""
        self._failed = True

    def follow(self, event: dg.DagsterEvent | None) -> None:
        """Begin or end the span of a step."""
        if event is None or (step := event.step_key) is None:
            return
        kind = event.event_type_value
        self._failed |= kind == "STEP_FAILURE"
        if kind in BEGINNINGS:
            self._steps[step] = begin_span("step", self._run, step=step)
        elif kind in ENDS and step in self._steps:
            self._steps.pop(step).end(ENDS[kind])
