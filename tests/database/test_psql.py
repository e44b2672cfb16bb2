"""PostgreSQL's own programs connect as the URL says, all of it, and nobody reads the password from the process list."""

import pytest

from strades_pipelines.database.psql import environment


def test_the_programs_connect_by_the_whole_url_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c role=other")
    monkeypatch.setenv("PGSSLMODE", "disable")
    monkeypatch.setenv("UNRELATED", "stays")
    found = environment(
        "postgresql://u%20v:p%40s@h:5433/d?sslmode=verify-full&sslrootcert=/a%20b/ca.pem&connect_timeout=7"
    )
    assert found.pop("UNRELATED") == "stays"
    assert {name: value for name, value in found.items() if name.startswith("PG")} == {
        "PGUSER": "u v",
        "PGPASSWORD": "p@s",
        "PGHOST": "h",
        "PGPORT": "5433",
        "PGDATABASE": "d",
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": "/a b/ca.pem",
        "PGCONNECT_TIMEOUT": "7",
    }
