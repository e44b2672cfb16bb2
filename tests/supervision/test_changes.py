"""Changed files are seen once, when they are at rest."""

from pathlib import Path

from strades_pipelines.supervision.changes import SECONDS, ChangeWatch, fingerprint


def test_a_change_is_seen_when_the_files_are_at_rest_and_once(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1")
    sources, now = tmp_path / "Sources.json", [0.0]
    sources.write_text("{}")
    watch = ChangeWatch(lambda: fingerprint([tmp_path], [sources]), clock=lambda: now[0])

    def later() -> bool:
        now[0] += SECONDS
        return watch.changed()

    assert not later()
    sources.write_text('{"a": 1}')
    assert not later()  # it may still be written
    (tmp_path / "b.py").write_text("y = 2")
    assert not later()
    assert later()
    watch.loaded()
    assert not later()
    sources.unlink()
    assert not later()
    assert later()
