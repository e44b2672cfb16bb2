"""What the manifests of Kubernetes name is there: commands, modules, settings, ports, secrets, files of the image."""

import importlib.util
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml  # type: ignore[import-untyped]

from strades_pipelines.cli import app
from strades_pipelines.settings import Settings
from tests.deploy.compose import PROJECT, services
from tests.deploy.kustomize import Document, containers, identity, pod_spec, render

FOLDER = PROJECT / "deploy" / "kubernetes"
PATHS = [FOLDER / "base", *sorted((FOLDER / "overlays").iterdir())]
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
DOCS = (PROJECT / "docs" / "deploy.md").read_text()
# Of the entry point, strades_pipelines/installation/container.py.
OWN_WORDS = {"migrate", "answers", "code", "dashboard"}
OF_DEBIAN = {"mkdir"}


def found(kind: str, documents: list[Document]) -> set[str]:
    return {identity(each)[1] for each in documents if identity(each)[0] == kind}


def values() -> Document:
    document: Document = yaml.safe_load((FOLDER / "dagster" / "values.yaml").read_text())
    return document


def named(tree: Any, key: str) -> Iterator[Any]:
    """The values of a key, wherever it is."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            if name == key:
                yield value
            yield from named(value, key)
    elif isinstance(tree, list):
        for each in tree:
            yield from named(each, key)


def commands(path: Path) -> Iterator[tuple[str, list[str]]]:
    """What containers run, and their probes, each as the words behind the image's entry point."""
    for document in render(path):
        for container in containers(document):
            yield container["name"], [*container.get("command", ()), *container.get("args", ())]
            for probe in PROBES:
                if "exec" in container.get(probe, {}):
                    yield container["name"], container[probe]["exec"]["command"]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_every_command_and_probe_is_one_that_exists(path: Path) -> None:
    asked = list(commands(path))
    assert len(asked) >= 7
    known = typer.main.get_command(app)
    for name, words in asked:
        while words[:2] == ["python", "-m"]:
            assert importlib.util.find_spec(words[2]) is not None, (name, words)
            words = words[3:] if words[2] == "strades_pipelines.installation.container" else []
        if not words or words[0] in OWN_WORDS | OF_DEBIAN:
            continue
        assert words[0] == "strades", (name, words)
        group: Any = known
        for word in words[1:]:
            if not hasattr(group, "commands") or word.startswith("-"):
                break
            assert word in group.commands, (name, words)
            group = group.commands[word]
        options = {option for parameter in group.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options | {"--help"}, (name, words)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_every_port_of_a_service_and_a_probe_is_one_that_its_container_opens(path: Path) -> None:
    documents = render(path)
    opened = {
        each["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"]: {
            port["containerPort"] for container in containers(each) for port in container.get("ports", ())
        }
        for each in documents
        if each["kind"] == "Deployment"
    }
    for each in documents:
        if each["kind"] == "Service":
            [name] = each["spec"]["selector"].values()
            assert {port["targetPort"] for port in each["spec"]["ports"]} <= opened[name]
        for container in containers(each):
            ports = {str(port["containerPort"]) for port in container.get("ports", ())}
            words = [str(word) for word in (*container.get("args", ()), *container.get("command", ()))]
            for probe in (container[kind] for kind in PROBES if kind in container):
                asked = re.findall(r":(\d+)/", " ".join(probe.get("exec", {}).get("command", ())))
                asked += [str(probe["httpGet"]["port"])] if "httpGet" in probe else []
                assert set(asked) <= ports, container["name"]
            settings = {str(value) for one in named(documents, "data") for value in one.values()}
            given = {*words, *settings, *(str(one.get("value")) for one in container.get("env", ()))}
            assert all(any(port in word for word in given) for port in ports), (container["name"], ports)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_every_secret_is_made_by_the_docs_and_every_other_name_by_a_manifest(path: Path) -> None:
    documents = render(path)
    made = set(re.findall(r"create secret generic ([\w-]+)", DOCS))
    chart = values()
    used = {one["name"] for one in named(documents, "secretRef")} | set(named(documents, "secretName"))
    used |= {one["name"] for one in named(documents, "secretKeyRef")}
    charts = {each["name"] for listed in named(chart, "envSecrets") for each in listed}
    charts |= set(named(chart, "postgresqlSecretName"))
    assert used | charts <= made
    assert made <= used | charts
    maps = {one["name"] for one in named([documents, chart], "configMapRef")}
    maps |= {each["name"] for listed in named(chart, "envConfigMaps") for each in listed}
    assert maps <= found("ConfigMap", documents)
    assert set(named(documents, "claimName")) == found("PersistentVolumeClaim", documents)
    accounts = set(named(documents, "serviceAccountName"))
    assert accounts <= found("ServiceAccount", documents) | {"default"}


def test_every_setting_is_one_of_ours() -> None:
    known = {f"STRADES_{name.upper()}" for name in Settings.model_fields} | {"DATABASE_URL", "DAGSTER_HOME"}
    for path in PATHS:
        for document in render(path):
            names = set(document.get("data", ())) if document["kind"] == "ConfigMap" else set()
            names |= {one["name"] for container in containers(document) for one in container.get("env", ())}
            assert {name for name in names if name.startswith("STRADES_")} <= known, identity(document)


def test_every_image_of_ours_is_that_of_compose_and_of_the_version() -> None:
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    ours = {container["image"] for each in render(FOLDER / "base") for container in containers(each)}
    assert ours == {f"strades:{version}"} == {one["image"] for one in services().values() if "build" in one}
    for path in PATHS[1:]:
        images = {container["image"] for each in render(path) for container in containers(each)}
        assert len(images) == 1, path.name  # one image for all parts
        assert images.pop().rpartition(":")[0].endswith("strades"), path.name


def test_every_folder_that_is_mounted_is_one_of_the_image_or_of_kubernetes() -> None:
    dockerfile = (PROJECT / "Dockerfile").read_text()
    for path in PATHS:
        for document in render(path):
            volumes = {one["name"] for one in (pod_spec(document) or {}).get("volumes", ())}
            for container in containers(document):
                for mount in container.get("volumeMounts", ()):
                    assert mount["name"] in volumes, (container["name"], mount)
                    place = mount["mountPath"]
                    assert place in ("/tmp", "/run/secrets") or place in dockerfile, (container["name"], place)
