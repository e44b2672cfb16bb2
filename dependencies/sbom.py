"""The software bill of materials of an environment: CycloneDX 1.6, of what the project needs at run time."""

import json
from collections.abc import Mapping
from importlib.metadata import Distribution, version
from typing import Any

from dependencies.closure import installed_closure, run_time_requirements
from dependencies.licences import licence_of

SPEC_VERSION = "1.6"


def sbom_document() -> str:
    """The document, as JSON with a line a field: the same packages make the same bytes.

    Raises:
        LicenceError: the licence of a package is not known.
    """
    return json.dumps(bill_of(installed_closure(run_time_requirements())), indent=1) + "\n"


def bill_of(packages: Mapping[str, Distribution]) -> dict[str, Any]:
    """The bill of some packages, by name, with their licences as SPDX expressions and their package URLs."""
    root = _component("application", "strades", version("strades"), "Apache-2.0")
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPEC_VERSION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC_VERSION,
        "version": 1,
        "metadata": {"component": root},
        "components": [
            _component("library", name, package.version, licence_of(package))
            for name, package in sorted(packages.items())
        ],
    }


def _component(kind: str, name: str, number: str, licence: str) -> dict[str, Any]:
    url = f"pkg:pypi/{name}@{number}"
    # "BSD" is no SPDX expression: such metadata do not say which of the BSD licences it is.
    licences: list[dict[str, Any]] = [{"license": {"name": licence}}] if licence == "BSD" else [{"expression": licence}]
    return {"type": kind, "bom-ref": url, "name": name, "version": number, "purl": url, "licenses": licences}
