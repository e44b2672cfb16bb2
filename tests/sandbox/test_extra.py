"""Dropped files are served; nothing outside the folder is."""

from pathlib import Path

import pytest

from sandbox import extra
from tests.sandbox.conftest import Worlds
from tests.sandbox.serving import Served

SECRET = b"not to be served"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of dropped files, with a host in it and a secret beside it."""
    (tmp_path / "secret.txt").write_bytes(SECRET)
    (tmp_path / "extra" / "h.example" / "deep").mkdir(parents=True)
    (tmp_path / "extra" / "beside.txt").write_bytes(SECRET)
    (tmp_path / "extra" / "h.example" / "deep" / "a b.json").write_bytes(b"{}")
    (tmp_path / "extra" / "h.example" / "link").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "extra" / "h.example" / "loop").symlink_to(tmp_path / "extra" / "h.example" / "loop")
    (tmp_path / "extra" / "linked.example").symlink_to(tmp_path)
    return tmp_path / "extra"


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("h.example", "../../secret.txt"),
        ("h.example", "../beside.txt"),
        ("h.example", "deep/../../../secret.txt"),
        ("h.example", "link"),
        ("h.example", "loop"),
        ("h.example", "deep"),
        ("h.example", ""),
        ("h.example", "nul\0byte"),
        ("h.example", "/etc/passwd"),
        ("linked.example", "secret.txt"),
        ("..", "secret.txt"),
        (".", "beside.txt"),
        ("", "beside.txt"),
        ("h.example", "x" * 5_000),
    ],
)
def test_nothing_but_a_file_inside_the_folder_is_found(folder: Path, host: str, path: str) -> None:
    assert extra.locate(folder, host, path) is None


def test_a_dropped_file_is_found(folder: Path) -> None:
    assert extra.locate(folder, "h.example", "deep/a b.json") == folder / "h.example" / "deep" / "a b.json"


def test_a_missing_file_says_where_to_put_it(world_at: Worlds) -> None:
    reply = extra.answer(world_at("2026-01-01T00:00:00Z"), "h.example", "a/b.csv")
    assert reply.status == 404
    assert b"sandbox/extra/h.example/a/b.csv" in reply.body
    assert reply.body.count(b"\n") == 1


def test_a_dropped_file_is_served_as_its_host_would(server: Served) -> None:
    dropped = server.app.world.extra / "feeds.example" / "news & co"
    dropped.mkdir(parents=True)
    (dropped / "rss.xml").write_bytes(b"<rss/>")
    found = server.get("feeds.example/news%20%26%20co/rss.xml?since=1")
    assert (found.status, found.body) == (200, b"<rss/>")
    assert found.headers["content-type"].endswith("/xml")
    again = server.get("feeds.example/news%20%26%20co/rss.xml", {"If-None-Match": found.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    for path in ("feeds.example/..%2f..%2fetc/passwd", "..%2f/etc/passwd", "feeds.example/../../x"):
        assert server.get(path).status == 404
