"""A run and its steps as spans of a trace, by the events that the run writes."""

import dagster as dg

from strades_pipelines.system.tracing import Span, begin_span

ENDS = {"STEP_SUCCESS": None, "STEP_SKIPPED": "skipped", "STEP_FAILURE": "failed", "STEP_UP_FOR_RETRY": "tried again"}


class RunSpans:
    """The spans of one run: its own, and one for each step below it."""

    def __init__(self, run_id: str, job: str) -> None:
        self._run = begin_span("run", run=run_id, job=job)
        self._steps: dict[str, Span] = {}
        self._failed = False

    def __enter__(self) -> "RunSpans":
        return self

    def __exit__(self, *_: object) -> None:
        """End all that have begun; a step without an end was stopped."""
        for step in self._steps.values():
            step.end("stopped")
        self._run.end("stopped" if self._steps else "failed" if self._failed else None)

    def follow(self, event: dg.DagsterEvent | None) -> None:
        """Begin or end the span of a step."""
        if event is None or (step := event.step_key) is None:
            return
        kind = event.event_type_value
        if kind == "STEP_START":
            self._steps[step] = begin_span("step", self._run, step=step)
        elif kind in ENDS and step in self._steps:
            self._failed |= kind == "STEP_FAILURE"
            self._steps.pop(step).end(ENDS[kind])
