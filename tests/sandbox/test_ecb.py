"""The ECB's files, against recorded ones."""

import io
import re
import zipfile
from datetime import date, datetime
from pathlib import Path

import pytest

from sandbox import ecb
from sandbox.world import Reply
from tests.sandbox.conftest import Worlds


def rows_of(reply: Reply) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(reply.body)) as archive:
        assert archive.namelist() == ["eurofxref-hist.csv"]
        return archive.read("eurofxref-hist.csv").decode().splitlines()


def test_the_history_is_the_recorded_file_byte_for_byte(world_at: Worlds, shared_data: Path) -> None:
    reply = ecb.answer(world_at("2026-11-22T00:00:00Z"), ecb.HISTORY, {})
    assert reply.body == (shared_data / "payloads" / "ecb" / "eurofxref-hist.zip").read_bytes()
    assert reply.headers["Last-Modified"] == "Fri, 30 Oct 2026 15:00:00 GMT"


def test_the_daily_xml_is_the_recorded_file_byte_for_byte(world_at: Worlds, shared_data: Path) -> None:
    reply = ecb.answer(world_at("2024-06-26T18:00:00Z"), ecb.DAILY, {})
    assert reply.body == (shared_data / "payloads" / "ecb" / "eurofxref-daily_2024-06-26.xml").read_bytes()


@pytest.mark.parametrize(
    "now", ["1999-01-04T16:00:00Z", "2003-07-01T00:00:00Z", "2022-03-01T20:00:00Z", "2026-11-22T00:00:00Z"]
)
def test_the_daily_xml_says_what_the_newest_row_of_the_history_says(world_at: Worlds, now: str) -> None:
    world = world_at(now)
    header, newest, *_ = rows_of(ecb.answer(world, ecb.HISTORY, {}))
    text = ecb.answer(world, ecb.DAILY, {}).body.decode()
    rates = {name: float(rate) for name, rate in re.findall(r"currency='(\w{3})' rate='([\d.]+)'", text)}
    cells = dict(zip(header.split(",")[1:], newest.split(",")[1:], strict=True))
    assert rates == {name: float(cell) for name, cell in cells.items() if cell not in ("N/A", "")}
    assert re.findall(r"time='([\d-]+)'", text) == [newest[:10]]


@pytest.mark.parametrize(
    ("now", "newest"),
    [
        ("2010-03-26T14:59:59Z", "2010-03-25"),  # winter: 16:00 in Frankfurt is 15:00Z
        ("2010-03-26T15:00:00Z", "2010-03-26"),
        ("2010-03-29T13:59:59Z", "2010-03-26"),  # summer began on the Sunday: 14:00Z
        ("2010-03-29T14:00:00Z", "2010-03-29"),
        ("2010-04-05T20:00:00Z", "2010-04-01"),  # Easter
    ],
)
def test_a_row_is_there_from_16_in_frankfurt_on(world_at: Worlds, now: str, newest: str) -> None:
    reply = ecb.answer(world_at(now), ecb.HISTORY, {})
    _, first, *_ = rows_of(reply)
    assert first[:10] == newest
    assert ecb.published(date.fromisoformat(newest)) <= datetime.fromisoformat(now)


def test_a_cut_history_is_a_tail_of_the_whole_and_the_same_bytes_again(world_at: Worlds) -> None:
    whole = rows_of(ecb.answer(world_at("2026-11-22T00:00:00Z"), ecb.HISTORY, {}))
    reply = ecb.answer(world_at("2010-01-04T23:00:00Z"), ecb.HISTORY, {})
    cut = rows_of(reply)
    assert cut == [whole[0], *whole[-len(cut) + 1 :]]
    assert "N/A" in cut[1]
    ecb.history.cache_clear()
    assert ecb.answer(world_at("2010-01-05T08:00:00Z"), ecb.HISTORY, {}) == reply


@pytest.mark.parametrize(
    ("now", "path"),
    [("1999-01-04T14:00:00Z", ecb.HISTORY), ("2026-11-22T00:00:00Z", "stats/eurofxref/eurofxref-hist-90d.xml")],
)
def test_what_is_not_there_is_not_found(world_at: Worlds, now: str, path: str) -> None:
    assert ecb.answer(world_at(now), path, {}).status == 404
