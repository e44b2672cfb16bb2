"""What a child process finds in its environment, and what it finds beside it."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.database.server import EmbeddedServer
from strades_pipelines.settings import Settings
from strades_pipelines.system.child_environment import (
    for_alerts,
    for_dagster,
    for_programs,
    without_secret_names,
    without_secrets,
)
from tests.database.test_server import postmaster, server  # noqa: F401

SECRETS = ("DATABASE_URL", "DAGSTER_PG_URL", "STRADES_ALERT_WEBHOOK", "STRADES_ALERT_SMTP", "STRADES_SPIDER_DATABASE")
CANARY = "C4nary7731xq"
ENV_FILE = f"""
DATABASE_URL=postgresql://keeper:{CANARY}@127.0.0.1:1/none
STRADES_ALERT_WEBHOOK=http://127.0.0.1:1/{CANARY}
STRADES_DOCS_PORT=8999
PROVIDER_KEY={CANARY}
"""
SHOW = """
from strades_pipelines.settings import Settings, secret, settings
found = settings()
print(found.docs_port, found.database_url, found.alert_webhook, secret("PROVIDER_KEY"))
print(Settings.model_config["env_file"], Settings.model_config["secrets_dir"])
"""


@pytest.fixture
def env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `.env` with secrets and one setting, which the settings of this process are read from."""
    (tmp_path / ".env").write_text(ENV_FILE)
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")
    for name in ("DATABASE_URL", "STRADES_ALERT_WEBHOOK", "STRADES_DOCS_PORT", "PROVIDER_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / ".env"


@given(st.sampled_from(SECRETS) | st.from_regex(r"[A-Z]{1,9}_(KEY|TOKEN|SECRET|PASSWORD|LOGIN|UID)", fullmatch=True))
def test_secrets_and_what_nobody_named_are_left_out(name: str) -> None:
    for environment in (without_secrets, without_secret_names):
        found = environment({name: "geheim", "PATH": "/bin", "STRADES_WORLD": "live", "LOGNAME": "me"})
        assert (found["PATH"], found["STRADES_WORLD"]) == ("/bin", "live")
        assert found["LOGNAME"] == "me"
        assert "geheim" not in found.values()
    assert for_programs({name: "geheim", "PATH": "/bin", "STRADES_WORLD": "live"}) == {"PATH": "/bin"}


def test_dagsters_own_parts_get_the_url_of_its_database_alone() -> None:
    whole = dict.fromkeys(SECRETS, "geheim")
    assert [name for name, value in for_dagster(whole).items() if value == "geheim"] == ["DAGSTER_PG_URL"]


@pytest.mark.usefixtures("env_file")
def test_who_sends_alerts_gets_the_ways_of_alerts_alone() -> None:
    found = for_alerts({"PATH": "/bin", "DATABASE_URL": "geheim", "DAGSTER_PG_URL": "geheim"})
    assert found["STRADES_ALERT_WEBHOOK"] == f"http://127.0.0.1:1/{CANARY}"
    assert [name for name, value in found.items() if CANARY in value] == ["STRADES_ALERT_WEBHOOK"]
    assert "geheim" not in found.values()


@pytest.mark.parametrize("environment", [without_secrets, without_secret_names, for_dagster])
@pytest.mark.usefixtures("env_file")
def test_a_child_without_secrets_is_told_the_rest_of_the_file_and_reads_no_file(
    environment: Callable[[Mapping[str, str]], dict[str, str]],
) -> None:
    found = environment(os.environ)
    assert CANARY not in str(found)
    done = subprocess.run([sys.executable, "-c", SHOW], env=found, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["8999", "None", "None", "None", "None", "None"]


@pytest.mark.slow
def test_the_embedded_server_inherits_no_secret(
    server: EmbeddedServer,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in (*SECRETS[2:], "PROVIDER_LOGIN", "ANYTHING"):
        monkeypatch.setenv(name, CANARY)
    server.start()
    assert CANARY not in str(psutil.Process(postmaster(server)).environ())
