"""The bill of materials is valid by CycloneDX's own schema, and has every package of the run time."""

import json
import os
import subprocess
import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from dependencies.closure import installed_closure, run_time_requirements
from dependencies.sbom import sbom_document


def test_the_bill_is_valid_and_has_every_package_with_its_licence() -> None:
    text = sbom_document()
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(text) is None
    document = json.loads(text)
    packages = installed_closure(run_time_requirements())
    assert {each["name"]: each["version"] for each in document["components"]} == {
        name: package.version for name, package in packages.items()
    }
    [django] = [each for each in document["components"] if each["name"] == "django"]
    assert django["licenses"] == [{"expression": "BSD-3-Clause"}]
    assert django["purl"] == f"pkg:pypi/django@{packages['django'].version}"
    assert "pytest" not in packages  # of development alone
    broken = json.dumps({**document, "components": [{**django, "type": "libary"}]})
    assert validator.validate_str(broken) is not None


def test_no_secret_of_the_environment_is_in_the_bill() -> None:
    """As an image's build runs it, with whatever its machine knows."""
    secrets = {name: f"canary-{name.lower()}" for name in ("ALPACA_SECRET_KEY", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD")}
    made = subprocess.run(
        [sys.executable, "-m", "dependencies", "sbom"],
        env=os.environ | secrets | {"DATABASE_URL": "postgresql://strades:canary-url@127.0.0.1/x"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert len(json.loads(made.stdout)["components"]) > 50
    assert "canary-" not in made.stdout + made.stderr
