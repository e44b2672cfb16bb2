"""Requests of the dashboard are carried out: verified, installed, or refused with the reason; `strades up` does it."""

import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from strades_pipelines.sharing.bundle_file import Bundle
from strades_pipelines.sharing.bundle_requests import DATA_FOLDER, carry_out_request
from strades_pipelines.supervision.bundle_request_watch import carry_out_bundle_requests
from tests.sharing.conftest import AT

Connection = psycopg.Connection[Any]
OUTCOME = "SELECT outcome, detail, finished_at, octet_length(body) FROM ops.bundle_requests WHERE request_id = %s"


def ask(connection: Connection, kind: str, sha256: str, body: bytes) -> int:
    """Leave a request, as the dashboard does."""
    row = connection.execute(
        "INSERT INTO ops.bundle_requests (request_key, kind, bundle_sha256, body, requested_by, requested_at) "
        "VALUES (%s, %s, %s, %s, 'person:1', %s) RETURNING request_id",
        [uuid4(), kind, sha256, body, AT],
    ).fetchone()
    connection.commit()
    assert row is not None
    return int(row[0])


@pytest.fixture
def home(tmp_path: Path, shop: Path) -> Path:
    """A home with the wave among the files of bars."""
    (tmp_path / DATA_FOLDER).mkdir()
    shutil.copy(shop / "wave.csv", tmp_path / DATA_FOLDER)
    return tmp_path


def outcome(connection: Connection, home: Path, kind: str, sha256: str, body: bytes) -> tuple[str, str]:
    """What becomes of a request."""
    request = ask(connection, kind, sha256, body)
    carried_out = carry_out_request(connection, request, home, world="sandbox", clock=lambda: AT)
    assert carry_out_request(connection, request, home, world="sandbox", clock=lambda: AT) is None
    row = connection.execute(OUTCOME, [request]).fetchone()
    assert row is not None
    assert (row[0], row[2], row[3]) == (carried_out, AT, 0)
    return row[0], row[1]


def test_verified_and_installed_and_with_a_flipped_byte_neither(
    connection: Connection, home: Path, bundle: Bundle
) -> None:
    body, sha256 = bundle.body, bundle.sha256
    assert outcome(connection, home, "verify", sha256, body)[0] == "verified"
    installed, path = outcome(connection, home, "install", sha256, body)
    assert (installed, (home / path).read_bytes()) == ("installed", bundle.files["code/hold.py"])
    flipped = bytearray(body)
    flipped[flipped.index(b"account.target")] ^= 1
    differs, detail = outcome(connection, home, "verify", sha256, bytes(flipped))
    assert differs == "differs"
    assert "code/hold.py" in detail
    assert outcome(connection, home, "install", sha256, bytes(flipped))[0] == "refused"
    refused, detail = outcome(connection, home, "install", "0" * 64, body)
    assert (refused, detail[:36]) == ("refused", f"expected the bundle with SHA-256 {'0' * 3}")
    assert outcome(connection, home, "verify", sha256, b"no zip")[0] == "refused"
    shutil.rmtree(home / DATA_FOLDER)
    assert outcome(connection, home, "verify", sha256, body)[0] == "data not here"


def test_strades_up_carries_it_out_in_a_child_and_gives_up_what_kills_one(
    connection: Connection, own_world: str, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert carry_out_bundle_requests(connection) == {}
    request = ask(connection, "verify", bundle.sha256, bundle.body)
    assert carry_out_bundle_requests(connection) == {request: "data not here"}
    for code, told in ((-signal.SIGSEGV, "refused"), (-signal.SIGTERM, None)):
        dead = subprocess.CompletedProcess([], code, "", "Traceback\nValueError: a fault of ours\n")
        monkeypatch.setattr("subprocess.run", lambda *_, dead=dead, **__: dead)
        request = ask(connection, "verify", bundle.sha256, bundle.body)
        if told:
            assert carry_out_bundle_requests(connection) == {request: told}
        else:
            with pytest.raises(RuntimeError, match="a fault of ours"):
                carry_out_bundle_requests(connection)
            assert connection.execute(OUTCOME, [request]).fetchone() == (None, None, None, len(bundle.body))


def test_a_fault_keeps_no_other_request_waiting_and_is_given_up_after_three(
    connection: Connection, own_world: str, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = ask(connection, "verify", bundle.sha256, bundle.body)
    other = ask(connection, "verify", bundle.sha256, b"no zip")
    run = subprocess.run

    def fail(command: list[str], **given: Any) -> "subprocess.CompletedProcess[str]":
        if command[-1] != str(broken):
            return run(command, **given)
        return subprocess.CompletedProcess([], 1, "", "Traceback\nValueError: a \x1b[1mfault\n")

    monkeypatch.setattr("subprocess.run", fail)
    told = "had a fault and is tried again: ValueError: a  [1mfault"
    assert carry_out_bundle_requests(connection) == {broken: told, other: "refused"}
    newer = ask(connection, "verify", bundle.sha256, b"no zip")
    assert list(carry_out_bundle_requests(connection)) == [newer, broken]
    assert carry_out_bundle_requests(connection) == {broken: "refused"}
    assert connection.execute(OUTCOME, [broken]).fetchone()[:2] == ("refused", "ValueError: a  [1mfault")  # type: ignore[index]
    assert carry_out_bundle_requests(connection) == {}
