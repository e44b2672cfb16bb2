"""What the project needs at run time: extras followed, markers of every platform counted."""

import re
import subprocess
import sys

from dependencies.closure import PROJECT, installed_closure, run_time_requirements
from tests.dependencies.conftest import Install


def test_requirements_are_followed_through_extras_and_cycles(install: Install) -> None:
    install("alpha", "Provides-Extra: fast", 'Requires-Dist: beta ; extra == "fast"', "Requires-Dist: gamma")
    install("beta")
    install("gamma", "Requires-Dist: alpha")
    assert list(installed_closure(["alpha"])) == ["alpha", "gamma"]
    assert list(installed_closure(["Alpha[fast]>=1"])) == ["alpha", "beta", "gamma"]


def test_a_marker_counts_when_any_supported_platform_needs_it(install: Install) -> None:
    for name in ("mac", "old", "windows", "future"):
        install(name)
    requirements = [
        "mac ; sys_platform == 'darwin'",
        "old ; python_version < '3.12'",
        "windows ; sys_platform == 'win32'",
        "future ; python_version >= '3.14'",
        "absent",
    ]
    assert list(installed_closure(requirements)) == ["mac", "old"]


def test_it_holds_all_that_uv_finds_below_the_project_and_nothing_that_is_not_locked() -> None:
    command = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "tree",
        "--offline",
        "--package",
        "strades",
        "--python",
        sys.executable,
    ]
    tree = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = set(installed_closure(run_time_requirements()))
    below_the_project = set(re.findall(r"^[│├└─ ]+([\w.-]+) v", tree, re.MULTILINE))
    assert len(below_the_project) > 100
    assert below_the_project <= found
    assert found <= set(re.findall(r"^([\w.-]+)==", (PROJECT / "requirements.lock").read_text(), re.MULTILINE))
