"""Logs as one JSON object a line (`STRADES_LOG_FORMAT=json`), with the ids of what the line is about.

A line of a Dagster run has `run` and `step`, and `source` where it fetches one; a line about a wallet has `wallet`.
Secrets that the process knows are masked, as everywhere.
"""

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from strades_pipelines.settings import settings
from strades_pipelines.system.secret_values import masked

FETCH_STEP = "rawsources__"
NO_IDS: Mapping[str, str] = MappingProxyType({})
_ids: ContextVar[Mapping[str, str]] = ContextVar("log_ids", default=NO_IDS)


@contextmanager
def log_ids(**ids: str) -> Iterator[None]:
    """Give the lines of this thread further ids, `wallet="paper"` say, for as long as the block runs."""
    token = _ids.set({**_ids.get(), **ids})
    try:
        yield
    finally:
        _ids.reset(token)


class JsonFormatter(logging.Formatter):
    """One object a line: `at` (UTC), `level`, `logger`, `message`, ids, and `error` with its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"at": at, "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        line |= {**_run_ids(record), **_ids.get()}
        if record.exc_info:
            line["error"] = record.exc_text or self.formatException(record.exc_info)  # a filter may have masked it
        return masked(json.dumps(line, ensure_ascii=False, default=str))


def _run_ids(record: logging.LogRecord) -> dict[str, str]:
    """The ids that Dagster gives to the lines of a run."""
    given = getattr(record, "dagster_meta", None)
    if not isinstance(given, Mapping):
        return {}
    step = str(given.get("step_key") or "")
    ids = {"run": given.get("run_id"), "step": step, "source": step.partition(FETCH_STEP)[2]}
    return {name: str(value) for name, value in ids.items() if value}


class RunHandler(logging.StreamHandler[Any]):
    """What `dagster.yaml` gives the lines of runs to: JSON on standard error, or nothing where logs are text."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, where that is wanted."""
        if settings().log_format == "json":
            super().emit(record)


def log_as_json() -> None:
    """Write this process's log to standard error as JSON: our own lines from INFO on, those of libraries warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("strades_pipelines").setLevel(logging.INFO)
