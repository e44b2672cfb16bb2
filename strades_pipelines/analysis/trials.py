"""The trial ledger: every set of parameters ever run on some data counts against the best of them.

A Sharpe ratio that is deflated only by remembered trials is too high, so the ledger keeps all. A rerun of the same code
with the same parameters and options on the same data is not a new trial. Without a database the ledger is a file of
JSON lines for each data set, beside the cache; with one, a table with the same interface.
"""

import hashlib
import json
import math
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

NAME = re.compile(r"[0-9A-Za-z_-]{1,128}")


@dataclass(frozen=True)
class Trial:
    """One set of parameters run on one set of data.

    Args:
        sharpe: per period; None where the account did not vary.
        n: how many returns it is computed from.
        options: fees, fills, sizes: whatever else changes the result. Like `parameters` it holds what JSON can.
        recorded_at: microseconds UTC.
    """

    data_hash: str
    code_hash: str
    strategy: str
    parameters: Mapping[str, Any]
    sharpe: float | None
    n: int
    options: Mapping[str, Any] = field(default_factory=dict)
    periods_per_year: float | None = None
    total_return: float | None = None
    recorded_at: int = 0

    @cached_property
    def key(self) -> str:
        """SHA-256 of data, code, parameters and options, which identify the trial."""
        identity = [self.data_hash, self.code_hash, dict(self.parameters), dict(self.options)]
        # Sorted: in which order parameters were given makes no other trial.
        text = json.dumps(identity, sort_keys=True, separators=(",", ":"), default=str)
        return hashlib.sha256(text.encode()).hexdigest()


class TrialLedger(Protocol):
    """Where trials are kept."""

    def record(self, trials: Sequence[Trial]) -> int:
        """Record the trials that are new; returns how many."""

    def of_data(self, data_hash: str) -> list[Trial]:
        """Every trial ever run on the data, oldest first."""


class FileTrialLedger:
    """A folder with a file for each data set: append-only, safe for several processes at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def record(self, trials: Sequence[Trial]) -> int:
        """Record the trials that are new; returns how many.

        Under a file lock, in one write, flushed to disk. A line that a crash cut short stays in the file, unread.
        """
        by_data: dict[str, dict[str, Trial]] = {}
        for trial in trials:
            by_data.setdefault(trial.data_hash, {}).setdefault(trial.key, trial)
        return sum(self._append(data_hash, keyed) for data_hash, keyed in by_data.items())

    def of_data(self, data_hash: str) -> list[Trial]:
        """Every trial ever run on the data, oldest first; none for unknown data."""
        return [Trial(**row) for _, row in _rows(self._file(data_hash))]

    def _append(self, data_hash: str, keyed: dict[str, Trial]) -> int:
        from filelock import FileLock

        file = self._file(data_hash)
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{file}.lock"):
            there = {key for key, _ in _rows(file)}
            new = [trial for key, trial in keyed.items() if key not in there]
            if new:
                _write(file, "".join(_line(trial) for trial in new))
        return len(new)

    def _file(self, data_hash: str) -> Path:
        if not NAME.fullmatch(data_hash):
            raise ValueError(f"data_hash: expected letters, digits, _ and -, was {data_hash!r}")
        return self.folder / f"{data_hash}.jsonl"


def sharpes(trials: Sequence[Trial]) -> list[float | None]:
    """The Sharpe ratio of each trial, as `significance.variance_of_trials` takes them."""
    return [trial.sharpe for trial in trials]


def _line(trial: Trial) -> str:
    row = {name: _plain(value) for name, value in asdict(trial).items()}
    row["recorded_at"] = trial.recorded_at or time.time_ns() // 1000
    return json.dumps({"key": trial.key, **row}, separators=(",", ":"), default=str, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """The value; None for a float that JSON has no number for."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write(file: Path, text: str) -> None:
    with file.open("a+b") as opened:
        # A line that a crash cut short must not spoil the next one.
        if opened.tell() and not _ends_with_newline(opened.fileno()):
            text = "\n" + text
        opened.write(text.encode())
        opened.flush()
        os.fsync(opened.fileno())


def _ends_with_newline(descriptor: int) -> bool:
    return os.pread(descriptor, 1, os.fstat(descriptor).st_size - 1) == b"\n"


def _rows(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(key, fields) of each whole line."""
    if not file.exists():
        return
    with file.open("rb") as lines:
        for line in lines:
            try:
                row = json.loads(line)
                yield row.pop("key"), row
            except (ValueError, KeyError, AttributeError):
                continue
