"""The files of the deployment, as far as they can be judged without an engine."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from strades_pipelines.database.server_programs import binaries
from strades_pipelines.settings import SECRETS, Settings
from tests.deploy.compose import PROJECT, compose, services

# What is always the same in a container, or means nothing there.
FIXED = {
    "home", "webserver_port", "docs_port", "readonly_port", "sandbox_url", "run_memory_share", "crash_at",
    "dashboard_port", "dashboard_database", "webserver_host", "nginx_port", "nginx_host", "tls_certificate_file",
    "tls_key_file",
    "archive", "archive_store", "archive_store_keys", "metrics_port",
}  # fmt: skip
ONCE = {"migrate", "nginx-files"}
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
    always = {"postgres", "migrate", "code", "webserver", "readonly", "dashboard", "daemon", "docs", "watch", "backup"}
    always |= {"nginx-files", "nginx", "streams", "trade"}
    assert {name for name, service in services().items() if "profiles" not in service} == always
    assert {name: service["profiles"] for name, service in services().items() if "profiles" in service} == {
        "sandbox": ["sandbox"],
    }
    assert {name for name, service in services().items() if service["restart"] == "no"} == ONCE


def test_every_part_that_stays_has_a_health_check() -> None:
    assert {name for name, service in services().items() if "healthcheck" not in service} == ONCE
    checks = {name: service["healthcheck"] for name, service in services().items() if name not in ONCE}
    # Whether wallets keep up is what `watch` tells, and it is what tells.
    assert {name for name, check in checks.items() if check.get("disable")} == {"watch", "trade"}


def test_only_nginx_is_published_and_only_to_this_machine_unless_that_is_asked_for() -> None:
    ports = {name: service["ports"] for name, service in services().items() if "ports" in service}
    published = "${STRADES_NGINX_HOST:-127.0.0.1}:${STRADES_NGINX_PORT:-8443}:8443"
    assert ports == {"nginx": [published]}
    files = services()["nginx-files"]["command"]
    assert files[files.index("--listen") + 1] == "0.0.0.0:8443"


def test_nginx_finds_each_part_where_it_listens_and_its_health_is_asked() -> None:
    files = services()["nginx-files"]["command"]
    for option in ("webserver", "readonly", "docs"):
        service, port = files[files.index(f"--{option}") + 1].split(":")
        command = services()[service]["command"]
        assert command[command.index("--port") + 1] == port
        assert services()[service]["healthcheck"]["test"][-1].startswith(f"http://127.0.0.1:{port}/"), service
        assert "pages" in services()[service]["networks"]
    assert "--read-only" in services()["readonly"]["command"]
    assert "--read-only" not in services()["webserver"]["command"]


def test_nginx_works_on_what_was_written_for_it_as_the_user_whose_socket_it_opens() -> None:
    nginx, files, pages = services()["nginx"], services()["nginx-files"], services()["dashboard"]
    folder, sockets = files["command"][2], files["command"][files["command"].index("--sockets") + 1]
    assert nginx["command"][nginx["command"].index("-c") + 1] == f"{folder}/nginx.conf"
    assert nginx["volumes"] == [f"nginx:{folder}:ro", f"sockets:{sockets}:ro"]
    assert files["volumes"] == [f"nginx:{folder}"]
    assert f"sockets:{sockets}" in pages["volumes"]
    assert pages["command"][pages["command"].index("--socket") + 1] == f"{sockets}/dashboard.sock"
    assert "--host" not in pages["command"]  # besides, it listens on its own loopback: for its health
    user = re.findall(r"^USER (\d+)$", DOCKERFILE, re.MULTILINE)[-1]
    assert nginx["user"] == f"{user}:{user}"
    owned = re.findall(
        r"install --directory --mode=0700 --owner=strades --group=strades (.*?)\nCOPY", DOCKERFILE, re.S
    )[0]
    assert {folder, sockets} <= set(owned.replace("\\", "").split())
    waited = {name for name, need in nginx["depends_on"].items() if need.get("restart")}
    assert waited == {"dashboard", "webserver", "readonly", "docs"}  # a container that is new has another address


def test_streams_and_trading_share_the_network_of_the_code_location_and_follow_it() -> None:
    for name in ("streams", "trade"):
        service = services()[name]
        assert service["network_mode"] == "service:code"
        assert service["depends_on"]["code"] == {"condition": "service_healthy", "restart": True}
        assert "networks" not in service


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
    assert set(compose()["secrets"]) - {"postgres_password", "tls_certificate", "tls_key"} <= names


def test_a_container_has_only_the_secrets_that_it_needs() -> None:
    alerts = {"STRADES_ALERT_SMTP", "STRADES_ALERT_WEBHOOK", "STRADES_TWILIO_AUTH_TOKEN"}
    given = {name: set(service.get("secrets", ())) for name, service in services().items()}
    assert given.pop("postgres") == {"postgres_password"}
    assert given.pop("code") == {"DATABASE_URL"} | alerts  # who sends alerts
    assert given.pop("watch") == {"DATABASE_URL", "STRADES_ALERT_HEARTBEAT"} | alerts  # and says that it looks
    assert given.pop("migrate") == {"DATABASE_URL"}  # makes roles and databases
    assert given.pop("streams") == given.pop("trade") == {"DATABASE_URL"}
    assert given.pop("nginx") == given.pop("nginx-files") == {"tls_certificate", "tls_key"}
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
    assert [name for name, service in services().items() if "env_file" in service] == ["code", "trade"]
    passed_on = {
        f"STRADES_{name.upper()}" for name, field in Settings.model_fields.items() if field.repr and name not in FIXED
    }
    for name, service in services().items():
        if name in ("postgres", "nginx"):
            assert not any(key.startswith("STRADES_") for key in service.get("environment", ()))
            continue
        found = {key for key, value in service["environment"].items() if value == f"${{{key}:-}}"}
        assert found == passed_on | ({"STRADES_COLD_STORE"} if name in ("streams", "dashboard") else set()), name


def test_who_reads_trades_as_of_a_time_has_the_cold_store() -> None:
    """The address comes to `code` and `trade` with `.env`."""
    assert {name for name in services() if "cold" in mounts(name).values()} == {"code", "trade", "streams", "dashboard"}
    assert "cold:/var/lib/strades-cold:ro" in services()["dashboard"]["volumes"]
    assert "/var/lib/strades-cold" in DOCKERFILE


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
    pages = {"webserver", "readonly"}  # `streams`, `trade` and `sandbox` share those of `code`
    assert members == {
        "database": {"postgres", "code", "daemon", "dashboard"} | pages,
        "maintenance": {"postgres", "migrate", "backup", "watch"},
        "location": {"code", "daemon"} | pages,
        "outside": {"code", "watch", "dashboard"},
        "pages": {"docs", "dashboard", "nginx"} | pages,
        "front": {"nginx"},
    }
    assert {name for name in networks if not networks[name].get("internal")} == {"outside", "front"}
    assert services()["nginx-files"]["network_mode"] == "none"


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


def test_all_python_parts_are_one_image_and_no_tag_is_latest() -> None:
    images = {name: service["image"] for name, service in services().items()}
    foreign = {"postgres", "nginx"}
    assert len({image for name, image in images.items() if name not in foreign}) == 1
    for name in foreign:  # by an environment variable each can be a digest
        assert re.fullmatch(r"\$\{STRADES_\w+_IMAGE:-[a-z]+:\d[\w.-]+\}", images[name])


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
