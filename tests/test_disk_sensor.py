"""A disk that fills up is told once a day, and a new finding at once."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from strades_pipelines.defs.maintenance import disk
from strades_pipelines.resources.database import Database
from strades_pipelines.resources.notifier import Notifier
from strades_pipelines.settings import settings

pytestmark = [pytest.mark.filterwarnings("ignore::dagster.BetaWarning"), pytest.mark.usefixtures("connection")]


def test_a_full_disk_is_told_once_a_day(
    database_url: str,
    give_settings: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    cursor = None

    def look(day: int, free: int) -> int:
        nonlocal cursor
        caplog.clear()
        # The disk and the clock are the world outside.
        monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(total=100, free=free))
        now = datetime(2026, 11, day, 12, tzinfo=UTC)
        give_settings(sandbox_now=now.isoformat())
        context = dg.build_sensor_context(
            cursor=cursor, resources={"database": Database(url=database_url), "notifier": Notifier()}
        )
        result: Any = disk.disk_sensor(context)
        assert isinstance(result, dg.SkipReason)
        cursor = context.cursor
        return sum("ALERT the disk fills up" in record.message for record in caplog.records)

    assert look(20, 50) == 0
    assert look(20, 20) == 1
    assert look(20, 19) == 0
    assert look(21, 19) == 1
    assert look(21, 50) == 0
    assert look(21, 10) == 1
    settings.cache_clear()
