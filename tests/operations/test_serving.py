"""What a command that goes on as another program hands it."""

import json
import os
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import pytest

from tests.research.bars import Run


def test_the_dashboard_is_told_how_its_own_role_connects_and_no_other_secret(
    strades: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed: list[tuple[Sequence[str], Mapping[str, str]]] = []

    def become(_program: str, words: Sequence[str], environment: Mapping[str, str]) -> None:
        handed.append((words[2:], environment))

    monkeypatch.setattr(os, "execve", become)
    monkeypatch.setenv("GATE_SECRET_KEY", "canary-of-a-broker")
    strades("dashboard", "removefactor", "ada")
    [(words, environment)] = handed
    assert words == ["dashboard", "removefactor", "ada"]
    password = urlsplit(os.environ["DATABASE_URL"]).password
    assert password
    assert urlsplit(environment["STRADES_DASHBOARD_DATABASE"]).username == "strades_dashboard"
    told = json.dumps(dict(environment))
    assert "canary-of-a-broker" not in told
    assert password not in told
    assert not {"DATABASE_URL", "DAGSTER_PG_URL"} & environment.keys()
