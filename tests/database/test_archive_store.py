"""What PostgreSQL runs to copy a segment off the machine: kept once and for all, or told in one line."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from strades_pipelines.database import archive_store
from strades_pipelines.database.archive_store import ArchiveStore, StoreError
from tests.database.object_store_server import KEY, SECRET, ObjectStoreServer, serving

NAME = "000000020000000000000001"


@pytest.fixture
def server() -> Iterator[ObjectStoreServer]:
    with serving() as made:
        yield made


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    file = tmp_path / "keys"
    file.write_text(f"[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "wal"
    made.mkdir()
    (made / f"{NAME}.gz").write_bytes(b"a segment, packed" * 100)
    return made


def copy_command(folder: Path, address: str, *keys: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-I", "-m", archive_store.__name__, NAME, str(folder), address, *map(str, keys)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", timeout=120)


def test_a_segment_is_kept_once_and_another_of_its_name_is_refused(
    server: ObjectStoreServer, folder: Path, keys: Path
) -> None:
    segment = folder / f"{NAME}.gz"
    for _ in range(2):  # offered again after a crash
        done = copy_command(folder, server.address, keys)
        assert (done.returncode, done.stderr) == (0, "")
    assert server.objects == {f"strades/wal/{NAME}.gz": segment.read_bytes()}
    kept = segment.read_bytes()
    segment.write_bytes(b"of another server")
    refused = copy_command(folder, server.address, keys)
    assert refused.returncode == 1
    assert f"s3://bucket/strades/wal/{NAME}.gz: another object of that name is there" in refused.stderr
    assert server.objects == {f"strades/wal/{NAME}.gz": kept}


def test_the_history_of_a_segments_timeline_goes_before_it(server: ObjectStoreServer, folder: Path, keys: Path) -> None:
    (folder / "00000002.history.gz").write_bytes(b"history")
    (folder / "00000002.history.gz.time").write_text("2026-11-30T00:00:00+00:00\n")
    (folder / "00000002.history.gz.time.part").write_text("left by a kill")
    assert copy_command(folder, server.address, keys).returncode == 0
    written = [line.split("?")[0].rpartition("/")[2] for line in server.requests if line.startswith("PUT")]
    assert written == ["00000002.history.gz", "00000002.history.gz.time", f"{NAME}.gz"]
    assert set(server.objects) == {
        "strades/timelines/00000002.history.gz",
        "strades/timelines/00000002.history.gz.time",
        f"strades/wal/{NAME}.gz",
    }


def test_what_is_not_known_to_be_kept_is_told_in_one_line_without_a_secret(
    server: ObjectStoreServer, folder: Path, keys: Path, tmp_path: Path
) -> None:
    server.refuses_writes = True
    stranger = tmp_path / "stranger"
    stranger.write_text(keys.read_text().replace(KEY, "AKIDSTRANGER"))
    broken = tmp_path / "broken"
    broken.write_text(f"aws_secret_access_key = {SECRET}\n")
    for file, said in (
        (keys, "ACCESS_DENIED"),
        (stranger, "ACCESS_DENIED"),
        (broken, "expected [default] with aws_access_key_id and aws_secret_access_key"),
        (tmp_path / "none", "expected a readable file of keys"),
    ):
        done = copy_command(folder, server.address, file)
        assert done.returncode == 1, file
        assert said in done.stderr
        assert done.stderr.startswith("archive_store: ")
        assert done.stderr.count("\n") == 1
        assert SECRET not in done.stderr
    assert server.objects == {}


def test_a_store_that_never_answers_is_given_up_after_a_while(
    server: ObjectStoreServer, folder: Path, keys: Path
) -> None:
    server.is_silent = True
    words = [NAME, str(folder), server.address, str(keys)]
    program = f"import {archive_store.__name__} as it; it.LONGEST_COPY = 1.0; "
    done = subprocess.run(
        [sys.executable, "-c", program + f"it.main({words!r})"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == f"archive_store: {NAME}: the store did not answer for 1 s\n"


def test_a_large_object_is_there_whole(server: ObjectStoreServer, keys: Path) -> None:
    store, blocks = ArchiveStore(server.address, keys), [bytes([number]) * 1_000_003 for number in range(25)]
    with store.writing("base/large") as out:
        for block in blocks:
            out.write(block)
    assert server.uploads  # it went in parts
    assert store.read("base/large") == b"".join(blocks)
    assert store.sizes("base") == {"large": 25 * 1_000_003}
    assert store.sizes("wal") == {}


def test_a_store_that_is_away_is_one_error_with_its_address(keys: Path) -> None:
    with serving() as gone:
        address = gone.address
    with pytest.raises(StoreError, match=r"^s3://bucket/strades/wal/x: [^\n]+$"):
        ArchiveStore(address, keys).read("wal/x")
