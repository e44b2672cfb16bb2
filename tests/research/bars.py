"""Files of bars for the commands, and the commands run in this process."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from strades_pipelines import cli

HEADER = "ts_utc,open,high,low,close,volume"
# Rises for ten days, falls for ten, and again: prices are quarters, so that every sum of them is exact.
CLOSES = [100.0 + 0.25 * (k % 20 if k % 20 < 10 else 20 - k % 20) for k in range(120)]


@dataclass
class Answer:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one document on standard output."""
        return json.loads(self.out)


Run = Callable[..., Answer]


def runner(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`strades` with such words."""

    def run(*words: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["strades", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return Answer(int(ended.value.code or 0), said.out, said.err)

    return run


def bar_file(folder: Path, closes: list[float] | None = None, name: str = "wave.csv") -> Path:
    """Daily bars from 2020-01-01 on, each open at the close before."""
    values = closes or CLOSES
    rows = [HEADER]
    start = datetime(2020, 1, 1, tzinfo=UTC)
    for k, close in enumerate(values):
        opened = values[k - 1] if k else close
        day = (start + timedelta(days=k)).strftime("%Y-%m-%dT00:00:00Z")
        rows.append(f"{day},{opened},{max(opened, close) + 0.25},{min(opened, close) - 0.25},{close},1000")
    path = folder / name
    path.write_text("\n".join(rows) + "\n")
    return path
