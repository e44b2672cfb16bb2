"""What the doctor found is kept without secrets, and read back whole or not at all."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from strades_pipelines.installation.examination import Examination, Finding, keep_examination, last_examination
from strades_pipelines.settings import settings
from strades_pipelines.system.secret_values import remember_secret

NOW = datetime(2026, 11, 29, tzinfo=UTC)


def test_findings_are_kept_without_passwords_and_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRADES_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    assert last_examination() is None
    remember_secret("k3y-of-a-broker")
    found = [
        Finding(
            "database server", False, 'no answer from postgresql://ada:pa55word@db.example/x for "k3y-of-a-broker"'
        ),
        Finding("ports", True, "free", warning=True),
    ]
    keep_examination(found, now=NOW)
    kept = last_examination()
    clean = Finding("database server", False, 'no answer from postgresql://***@db.example/x for "***"')
    assert kept == Examination(NOW, [clean, found[1]])
    assert [finding.state for finding in kept.findings] == ["bad", "warn"]
    (tmp_path / "home" / "doctor.json").write_text('{"at": "2026')
    assert last_examination() is None
    settings.cache_clear()
