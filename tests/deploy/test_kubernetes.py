"""The manifests of Kubernetes: valid, strictly, for two versions; and as careful as the compose file is."""

import copy
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml  # type: ignore[import-untyped]
from pydantic import ValidationError

from strades_pipelines.settings import Settings
from tests.deploy.chart_values import ChartValues
from tests.deploy.compose import PROJECT
from tests.deploy.kustomize import Document, containers, identity, merge, pod_spec, render

FOLDER = PROJECT / "deploy" / "kubernetes"
OVERLAYS = sorted(path for path in (FOLDER / "overlays").iterdir())
VERSIONS = ("1.31", "1.34")
PATHS = [FOLDER / "base", *OVERLAYS]


def faults(documents: list[Document]) -> list[str]:
    """What the schemas of both versions say against each document."""
    found = []
    for document in documents:
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(document, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                found.append(f"{identity(document)}, {version}: {error.message}")
    return found


def values() -> Document:
    document: Document = yaml.safe_load((FOLDER / "dagster" / "values.yaml").read_text())
    return document


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_each_document_is_valid_for_two_versions(path: Path) -> None:
    assert faults(render(path)) == []


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        (("Deployment", "strades-execution"), ["spec", "replica"], 1),
        (("Deployment", "strades-execution"), ["spec", "replicas"], "one"),
        (("NetworkPolicy", "strades-code"), ["spec", "ingres"], []),
        (("PodDisruptionBudget", "strades-daemon"), ["spec", "maxUnavailble"], 0),
        (("Job", "strades-migrate"), ["spec", "template", "spec", "restartPolicy"], 3),
    ],
)
def test_a_typo_is_found(name: tuple[str, str], path: list[str], value: Any) -> None:
    documents = render(FOLDER / "base")
    [place] = [document for document in documents if identity(document) == name]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert faults(documents)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_every_container_is_without_rights_and_limited(path: Path) -> None:
    documents = render(path)
    for document in documents:
        spec = pod_spec(document)
        if spec is None:
            continue
        assert spec["securityContext"]["runAsNonRoot"] is True, identity(document)
        assert spec["automountServiceAccountToken"] is False, identity(document)
        for container in containers(document):
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True, identity(document)
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert "memory" in container["resources"]["limits"]
            assert container["image"].rpartition(":")[2] not in ("", "latest", container["image"])
        if document["kind"] == "Deployment":
            assert document["spec"]["replicas"] == 1
            assert document["spec"]["strategy"] == {"type": "Recreate"}  # never two of them, not even for a moment
            assert (
                document["spec"]["selector"]["matchLabels"].items()
                <= document["spec"]["template"]["metadata"]["labels"].items()
            )
    assert all(document["kind"] != "Secret" for document in documents)


def test_only_the_migration_logs_in_as_the_owner() -> None:
    owners = {
        identity(document)[1]
        for document in render(FOLDER / "base")
        for container in containers(document)
        for source in container.get("envFrom", ())
        if source.get("secretRef", {}).get("name") == "strades-owner"
    }
    assert owners == {"strades-migrate"}


def test_nothing_is_reached_but_for_what_a_policy_names() -> None:
    policies = {
        name: each["spec"]
        for each in render(FOLDER / "base")
        for kind, name in [identity(each)]
        if kind == "NetworkPolicy"
    }
    assert policies["strades-default"]["podSelector"] == {}
    assert policies["strades-default"]["ingress"] == []
    reached = {
        name: [port["port"] for rule in each.get("ingress", ()) for port in rule["ports"]]
        for name, each in policies.items()
    }
    assert {name: ports for name, ports in reached.items() if ports} == {
        "strades-dashboard": [8000],
        "strades-webserver": [8080],
        "strades-code": [3030],
        "strades-metrics": [9464],
    }
    for policy in policies.values():
        assert all(rule["from"] for rule in policy.get("ingress", ()))  # an empty list would be everybody


def test_what_stands_in_for_one_process_alone_is_not_drained_away() -> None:
    budgets = {
        name: each["spec"]
        for each in render(FOLDER / "base")
        for kind, name in [identity(each)]
        if kind == "PodDisruptionBudget"
    }
    assert {name for name, spec in budgets.items() if spec["maxUnavailable"] == 0} == {
        "strades-execution", "strades-streams", "strades-daemon", "strades-code", "strades-runs"
    }  # fmt: skip


def test_the_overlays_change_what_they_say(tmp_path: Path) -> None:
    aws = {identity(each): each for each in render(FOLDER / "overlays" / "aws")}
    assert aws["PersistentVolumeClaim", "strades-watch"]["spec"]["storageClassName"] == "strades-gp3"
    [container] = containers(aws["Deployment", "strades-execution"])
    assert container["image"].startswith("123456789012.dkr.ecr.")
    sandbox = {identity(each): each for each in render(FOLDER / "overlays" / "sandbox")}
    assert [each["name"] for each in containers(sandbox["Deployment", "strades-streams"])] == [
        "sandbox",
        "strades-streams",
    ]
    assert sandbox["ConfigMap", "strades-settings"]["data"]["STRADES_WORLD"] == "sandbox"
    (tmp_path / "kustomization.yaml").write_text("resources: []\npatchesJson: []\n")
    with pytest.raises(AssertionError, match="patchesJson"):
        render(tmp_path)


def test_the_values_of_dagsters_chart_are_known_and_a_typo_is_none() -> None:
    ChartValues.model_validate(values())
    for path, key in (
        (["dagsterDaemon"], "runMonitorin"),
        (["runLauncher", "config", "k8sRunLauncher"], "imagePullPolic"),
    ):
        wrong = copy.deepcopy(values())
        place = wrong
        for each in path:
            place = place[each]
        place[key] = True
        with pytest.raises(ValidationError, match=key):
            ChartValues.model_validate(wrong)
    moving = copy.deepcopy(values())
    merge(moving, {"dagsterWebserver": {"image": {"tag": "latest"}}})
    with pytest.raises(ValidationError, match="tag"):
        ChartValues.model_validate(moving)


def test_the_dashboard_asks_dagster_where_the_chart_serves_it(monkeypatch: pytest.MonkeyPatch) -> None:
    [given] = [each["data"] for each in render(FOLDER / "base") if identity(each) == ("ConfigMap", "strades-settings")]
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    found = Settings(_env_file=None)
    served = values()["dagsterWebserver"]
    assert found.dagster_path == served["pathPrefix"]
    assert (found.webserver_host, found.webserver_port) == ("strades-dagster-webserver", 8080)
    assert served["enableReadOnly"]


def test_nginx_reaches_the_dashboard_at_a_port_since_no_pod_has_its_socket() -> None:
    """By `strades nginx --dashboard`, as docs/deploy.md says."""
    [service] = [each for each in render(FOLDER / "base") if identity(each) == ("Service", "strades-dashboard")]
    place = f"{service['metadata']['name']}:{service['spec']['ports'][0]['port']}"
    text = (PROJECT / "docs" / "deploy.md").read_text()
    [command] = [line for line in text.splitlines() if line.strip().startswith("strades nginx ")]
    assert f"--dashboard {place} " in command
    assert "--webserver strades-dagster-webserver:8080 --readonly strades-dagster-webserver-read-only:8080" in command


def test_dagsters_launcher_takes_what_runs_are_given() -> None:
    """By `dagster-k8s` itself: names of Kubernetes in camel case, merged into the pod of a run."""
    from dagster_k8s.job import UserDefinedDagsterK8sConfig

    read: Any = UserDefinedDagsterK8sConfig.from_dict

    given = values()["runLauncher"]["config"]["k8sRunLauncher"]["runK8sConfig"]
    names = {
        "containerConfig": "container_config",
        "podSpecConfig": "pod_spec_config",
        "jobSpecConfig": "job_spec_config",
    }
    config = read({names[key]: value for key, value in given.items()})
    assert config.job_spec_config["backoff_limit"] == 0
    assert config.container_config["security_context"]["read_only_root_filesystem"] is True
    assert config.pod_spec_config["security_context"]["run_as_non_root"] is True
    typo: Document = {"container_config": {"securityContexts": {}}}
    with pytest.raises(Exception, match="securityContexts"):
        read(typo)


def test_runs_are_as_bounded_as_on_one_machine() -> None:
    """The pools, tags and retries of `dagster.yaml`; a run's steps are in its own pod."""
    own = yaml.safe_load((PROJECT / "dagster.yaml").read_text())
    given = values()
    pools = given["concurrency"]["pools"]
    assert pools == {
        "granularity": own["concurrency"]["pools"]["granularity"],
        "defaultLimit": own["concurrency"]["pools"]["default_limit"],
    }
    assert given["concurrency"]["runs"]["tagConcurrencyLimits"] == own["concurrency"]["runs"]["tag_concurrency_limits"]
    monitoring = given["dagsterDaemon"]["runMonitoring"]
    assert monitoring["freeSlotsAfterRunEndSeconds"] == own["run_monitoring"]["free_slots_after_run_end_seconds"]
    assert (
        given["dagsterDaemon"]["runRetries"]["retryOnAssetOrOpFailure"]
        is own["run_retries"]["retry_on_asset_or_op_failure"]
    )
    assert given["pythonLogs"]["dagsterHandlerConfig"] == own["python_logs"]["dagster_handler_config"]
    assert given["pythonLogs"]["managedPythonLoggers"] == own["python_logs"]["managed_python_loggers"]


def test_probes_have_the_time_that_a_start_of_python_takes() -> None:
    """Kubernetes waits one second where nothing is said; such a command takes one to six."""
    found = [
        (identity(document), container[kind])
        for document in render(FOLDER / "base")
        for container in containers(document)
        for kind in ("startupProbe", "readinessProbe", "livenessProbe")
        if "exec" in container.get(kind, {})
    ]
    assert {name for (_, name), _ in found} == {"strades-dashboard", "strades-streams", "strades-backup"}
    assert all(probe.get("timeoutSeconds", 1) >= 10 for _, probe in found)


def test_dagsters_pages_are_asked_where_they_are() -> None:
    webserver = values()["dagsterWebserver"]
    port = webserver["service"]["port"]
    assert webserver["readinessProbe"]["httpGet"] == {"path": f"{webserver['pathPrefix']}/server_info", "port": port}
    settings = {identity(each): each for each in render(FOLDER / "base")}["ConfigMap", "strades-settings"]["data"]
    assert settings["STRADES_WEBSERVER_PORT"] == str(port)


def run_of(deployment: Document) -> Any:
    """The pod of a run, by `dagster-k8s`, from what the chart passes on of a deployment to its runs."""
    from dagster_k8s.container_context import K8sContainerContext
    from dagster_k8s.job import DagsterK8sJobConfig, construct_dagster_k8s_job

    context: Any = K8sContainerContext.create_from_config(
        {
            "k8s": {
                "env_config_maps": [each["name"] for each in deployment["envConfigMaps"]],
                "env_secrets": [each["name"] for each in deployment["envSecrets"]],
                "volumes": deployment["volumes"],
                "volume_mounts": deployment["volumeMounts"],
                "resources": deployment["resources"],
                "run_k8s_config": {"pod_spec_config": {"init_containers": deployment.get("initContainers", [])}},
            }
        }
    )
    config = DagsterK8sJobConfig(
        job_image="i", dagster_home="/d", instance_config_map="m", postgres_password_secret="p"
    )
    job = construct_dagster_k8s_job(config, [], "run", user_defined_k8s_config=context.run_k8s_config)
    return job.spec.template.spec


def test_a_run_of_the_offline_world_has_a_sandbox_and_each_run_the_launchers_resources() -> None:
    whole = values()
    sandbox = yaml.safe_load((FOLDER / "dagster" / "values-sandbox.yaml").read_text())
    assert set(sandbox) == {"dagster-user-deployments"}
    ChartValues.model_validate({**whole, **sandbox})
    [usual] = whole["dagster-user-deployments"]["deployments"]
    [offline] = sandbox["dagster-user-deployments"]["deployments"]
    assert {key: value for key, value in offline.items() if key != "initContainers"} == usual
    [sidecar] = run_of(offline).init_containers
    assert (sidecar.name, sidecar.restart_policy) == ("sandbox", "Always")
    assert sidecar.security_context.read_only_root_filesystem is True
    assert sidecar.volume_mounts[0].name in {volume["name"] for volume in offline["volumes"]}
    launched = whole["runLauncher"]["config"]["k8sRunLauncher"]["runK8sConfig"]["containerConfig"]["resources"]
    assert run_of(usual).containers[0].resources.to_dict()["requests"] == launched["requests"]
    assert usual["resources"] == launched
