"""The files of the deployment, as far as they can be judged without an engine."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from strades_pipelines.database.server import binaries
from strades_pipelines.settings import SECRETS, Settings
from tests.deploy.compose import PROJECT, compose, services

# What is always the same in a container, or means nothing there.
FIXED = {
    "home", "webserver_port", "docs_port", "readonly_port", "sandbox_url", "run_memory_share", "crash_at",
    "dashboard_port", "dashboard_database", "webserver_host",
    "archive", "metrics_port",
}  # fmt: skip
DOCKERFILE = (PROJECT / "Dockerfile").read_text()
BIN = Path(sys.executable).parent


def run(*command: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run a checker in the project."""
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)


def mounts(service: str) -> dict[str, str]:
    """The volumes of a service by the folder where it sees them."""
    pairs = [volume.split(":")[:2] for volume in services()[service].get("volumes", ())]
    return {folder: volume for volume, folder in pairs}


def test_the_compose_file_is_what_the_specification_allows(tmp_path: Path) -> None:
    checker = (BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec")
    good = run(*checker, "docker-compose.yml")
    assert good.returncode == 0, good.stdout
    broken = tmp_path / "broken.yml"
    broken.write_text((PROJECT / "docker-compose.yml").read_text().replace("healthcheck:", "healthchecks:"))
    assert run(*checker, broken).returncode == 1


def test_hadolint_has_nothing_to_say(tmp_path: Path) -> None:
    found = run(BIN / "hadolint", "Dockerfile")
    assert (found.returncode, found.stdout) == (0, "")
    broken = tmp_path / "Dockerfile"
    broken.write_text(re.sub(r"^FROM .* AS run$", "FROM python:latest AS run", DOCKERFILE, flags=re.MULTILINE))
    assert "DL3007" in run(BIN / "hadolint", broken).stdout


def test_the_parts_of_the_plan_are_there() -> None:
    always = {"postgres", "migrate", "code", "webserver", "dashboard", "daemon", "docs", "watch", "backup"}
    assert {name for name, service in services().items() if "profiles" not in service} == always
    assert {name: service["profiles"] for name, service in services().items() if "profiles" in service} == {
        "readonly": ["readonly"],
        "sandbox": ["sandbox"],
    }
    assert services()["migrate"]["restart"] == "no"


def test_every_part_that_stays_has_a_health_check() -> None:
    assert [name for name, service in services().items() if "healthcheck" not in service] == ["migrate"]


def test_nothing_is_published_but_to_this_machine() -> None:
    ports = [port for service in services().values() for port in service.get("ports", ())]
    assert ports
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in ports)


def test_a_published_port_is_the_one_that_is_listened_on_and_whose_health_is_asked() -> None:
    for name, service in services().items():
        for published in service.get("ports", ()):
            _address, outside, inside = published.split(":")
            command = service["command"]
            assert command[command.index("--port") + 1] == inside == outside, name
            assert service["healthcheck"]["test"][-1].startswith(f"http://127.0.0.1:{inside}/"), name


def test_no_secret_stands_in_a_file_of_the_project() -> None:
    secret_names = re.compile("PASSWORD|SECRET|TOKEN|KEY|DATABASE_URL")
    for service in services().values():
        assert all(name.endswith("_FILE") for name in service.get("environment", ()) if secret_names.search(name))
    set_there = [line for line in DOCKERFILE.splitlines() if line.startswith(("ENV", "ARG"))]
    assert not [line for line in set_there if secret_names.search(line)]
    assert "://strades:" not in (PROJECT / "docker-compose.yml").read_text()
    for secret in compose()["secrets"].values():
        file = re.sub(r"\$\{\w+:-(.*)\}", r"\1", secret["file"])
        assert run("git", "check-ignore", file).returncode == 0 or (PROJECT / file).read_text() == ""
    used = {secret for service in services().values() for secret in service.get("secrets", ())}
    assert used == set(compose()["secrets"])


def test_a_secret_file_is_named_as_the_setting_that_it_is() -> None:
    names = {f"STRADES_{name.upper()}" for name in Settings.model_fields} | {"DATABASE_URL"}
    assert set(compose()["secrets"]) - {"postgres_password"} <= names


def test_a_container_has_only_the_secrets_that_it_needs() -> None:
    alerts = {"STRADES_ALERT_SMTP", "STRADES_ALERT_WEBHOOK"}
    given = {name: set(service.get("secrets", ())) for name, service in services().items()}
    assert given.pop("postgres") == {"postgres_password"}
    assert given.pop("code") == {"DATABASE_URL"} | alerts  # who sends alerts
    assert given.pop("watch") == {"DATABASE_URL", "STRADES_ALERT_HEARTBEAT"} | alerts  # and says that it looks
    assert given.pop("migrate") == {"DATABASE_URL"}  # makes roles and databases
    assert given.pop("dashboard") == {"STRADES_OPENID_CLIENT_SECRET"}
    assert set(given) == {"webserver", "readonly", "daemon", "backup", "docs", "sandbox"}
    assert not any(given.values())


def test_daily_work_logs_in_as_the_service_role_by_a_file_that_migrate_writes() -> None:
    file, dashboard_file = services()["migrate"]["command"][1:]
    volumes = mounts("migrate")
    assert volumes[str(Path(dashboard_file).parent)] == "dashboard_login"
    assert services()["dashboard"]["command"][:2] == ["dashboard", dashboard_file]
    seen_by = {name for name in services() if "dashboard_login" in mounts(name).values()}
    assert seen_by == {"migrate", "dashboard"}
    assert f"dashboard_login:{Path(dashboard_file).parent}:ro" in services()["dashboard"]["volumes"]
    assert volumes[str(Path(file).parent)] == "login"
    assert Path(file).name == "DATABASE_URL"
    reading = {name for name in services() if f"login:{SECRETS}:ro" in services()[name].get("volumes", ())}
    assert reading == {"webserver", "readonly", "daemon", "backup"}


def test_who_serves_pages_sees_no_file_of_the_home_but_those_pages() -> None:
    """The home holds `backup.key`: whoever has that can sign a backup that is restored without a question."""
    home = {name for name in services() if "home" in mounts(name).values()}
    assert home == {"migrate", "code", "watch", "backup"}
    assert mounts("docs") == {"/var/lib/strades/docs": "docs"}
    assert {name for name in services() if "docs" in mounts(name).values()} == {"migrate", "code", "docs"}
    assert services()["docs"]["volumes"] == ["docs:/var/lib/strades/docs:ro"]


def test_settings_reach_every_part_one_by_one_and_keys_of_providers_only_the_runs() -> None:
    """`.env` as a whole may hold any secret."""
    assert [name for name, service in services().items() if "env_file" in service] == ["code"]
    passed_on = {
        f"STRADES_{name.upper()}" for name, field in Settings.model_fields.items() if field.repr and name not in FIXED
    }
    for name, service in services().items():
        if name == "postgres":
            continue
        found = {key for key, value in service["environment"].items() if value == f"${{{key}:-}}"}
        assert found == passed_on, name


def test_every_container_is_limited() -> None:
    for name, service in services().items():
        assert service["read_only"] is True, name
        assert service["mem_limit"] == service["memswap_limit"] == ("3g" if name == "code" else service["mem_limit"])
        assert service["mem_limit"] in ("3g", "1g", "512m")
        assert 0 < service["pids_limit"] <= 2048
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert all("size=" in mount for mount in service["tmpfs"])
        assert any(mount.startswith("/tmp:") for mount in service["tmpfs"])


def test_only_who_must_reaches_the_code_location_and_the_database() -> None:
    networks = compose()["networks"]
    members = {
        network: {name for name, service in services().items() if network in service.get("networks", ())}
        for network in networks
    }
    pages = {"webserver", "readonly"}
    assert members == {
        "database": {"postgres", "code", "daemon", "dashboard"} | pages,
        "maintenance": {"postgres", "migrate", "backup", "watch"},
        "location": {"code", "daemon"} | pages,
        "outside": {"code", "watch"},
        "pages": {"docs", "dashboard"} | pages,
    }
    assert {name for name in networks if networks[name].get("internal")} == {"database", "maintenance", "location"}
    assert {name for name, service in services().items() if "ports" in service} == members["pages"]


def test_a_sandbox_follows_the_code_location_whose_loopback_it_shares() -> None:
    sandbox = services()["sandbox"]
    assert sandbox["network_mode"] == "service:code"
    assert sandbox["depends_on"] == {"code": {"condition": "service_started", "restart": True}}
    location = services()["code"]["command"][services()["code"]["command"].index("--port") + 1]
    assert sandbox["healthcheck"]["test"][-1] == f"tcp://127.0.0.1:{location}"


def test_the_image_can_dump_the_database_that_it_is_given() -> None:
    """pg_dump refuses a server of a newer major version than its own."""
    found = re.search(r"postgres:(\d+)-", services()["postgres"]["image"])
    dump = re.search(r"(\d+)\.", run(binaries() / "pg_dump", "--version").stdout)
    assert found
    assert dump
    assert int(found[1]) <= int(dump[1])


def test_nobody_is_root_and_data_lies_in_named_volumes() -> None:
    assert re.findall(r"^USER (\d+)$", DOCKERFILE, re.MULTILINE)[-1] != "0"
    assert services()["postgres"]["user"] == "postgres"
    for service in services().values():
        assert service["cap_drop"] == ["ALL"]
        assert all(volume.split(":")[0] in compose()["volumes"] for volume in service.get("volumes", ()))


def test_a_part_starts_after_what_it_needs() -> None:
    needs = {name: service["depends_on"] for name, service in services().items() if "depends_on" in service}
    assert needs["migrate"] == {"postgres": {"condition": "service_healthy"}}
    for name in ("code", "webserver", "readonly", "dashboard", "daemon", "docs", "backup"):
        assert needs[name]["migrate"] == {"condition": "service_completed_successfully"}
    for name in ("webserver", "readonly", "daemon"):
        assert needs[name]["code"] == {"condition": "service_healthy"}


@pytest.mark.parametrize("path", re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE))
def test_what_is_copied_is_there_and_not_ignored(path: str) -> None:
    allowed = {line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for name in path.split():
        assert (PROJECT / name).exists()
        assert name in allowed
