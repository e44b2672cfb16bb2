"""As much of kustomize as our overlays use: resources, namespace, images and strategic merge patches."""

from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

Document = dict[str, Any]
KEYS = {"apiVersion", "kind", "namespace", "resources", "images", "patches"}


def render(folder: Path) -> list[Document]:
    """The documents of a kustomization.

    Raises:
        AssertionError: a key that this does not know, or a patch of something that is not there.
    """
    wanted = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert set(wanted) <= KEYS, set(wanted) - KEYS
    found: list[Document] = []
    for name in wanted["resources"]:
        path = folder / name
        found += render(path) if path.is_dir() else [each for each in yaml.safe_load_all(path.read_text()) if each]
    for patch in wanted.get("patches", ()):
        change = yaml.safe_load(patch["patch"])
        [target] = [each for each in found if identity(each) == identity(change)]
        merge(target, change)
    for document in found:
        if "namespace" in wanted and document["kind"] not in ("StorageClass", "Namespace"):
            document["metadata"]["namespace"] = wanted["namespace"]
        for container in containers(document):
            for image in wanted.get("images", ()):
                if container["image"].partition(":")[0] == image["name"]:
                    container["image"] = f"{image['newName']}:{image['newTag']}"
    return found


def identity(document: Document) -> tuple[str, str]:
    """The kind and name of a document."""
    return document["kind"], document["metadata"]["name"]


def pod_spec(document: Document) -> Document | None:
    """What a Deployment or a Job says of its pods."""
    if document["kind"] not in ("Deployment", "Job"):
        return None
    spec: Document = document["spec"]["template"]["spec"]
    return spec


def containers(document: Document) -> list[Document]:
    """All containers of a document, initial ones too."""
    spec = pod_spec(document) or {}
    return [*spec.get("initContainers", ()), *spec.get("containers", ())]


def merge(target: Document, change: Document) -> None:
    """Merge a patch: maps by key, lists of named things by name."""
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            merge(target[key], value)
        elif isinstance(value, list) and isinstance(target.get(key), list):
            known = {each["name"]: each for each in target[key]}
            for each in value:
                if each["name"] in known:
                    merge(known[each["name"]], each)
                else:
                    target[key].append(each)
        else:
            target[key] = value
