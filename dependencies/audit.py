"""Look the locked packages up among known vulnerabilities: a job with network, `.ci/audit`.

pip-audit lists a package that its service does not know beside those without vulnerabilities, and ends with 0. Here
it counts as not looked up, and the job fails: silence is no answer.
"""

import json
import re
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from dependencies.closure import PROJECT

LOCK = PROJECT / "requirements.lock"
PINNED = re.compile(r"^[\w.-]+==[^\\\n]+", re.MULTILINE)


def audit_problems(report: str, lock: Path = LOCK) -> list[str]:
    """One line for each vulnerability, and for each locked package that the report does not clear.

    Args:
        report: what `pip-audit --format json` printed.
    """
    try:
        found = {canonicalize_name(each["name"]): each for each in json.loads(report)["dependencies"]}
    except (ValueError, LookupError, TypeError):
        return ["expected the JSON of pip-audit, was something else: nothing was looked up"]
    problems = []
    for name, version in locked_here(lock):
        entry = found.get(canonicalize_name(name))
        problems += _judged(name, version, entry)
    return problems


def locked_here(lock: Path) -> list[tuple[str, str]]:
    """The names and versions of a lock that this Python installs: pip-audit looks up no others."""
    requirements = map(Requirement, PINNED.findall(lock.read_text()))
    return [
        (each.name, str(each.specifier).removeprefix("=="))
        for each in requirements
        if each.marker is None or each.marker.evaluate()
    ]


def _judged(name: str, version: str, entry: dict[str, Any] | None) -> list[str]:
    if entry is None:
        return [f"{name} {version}: not looked up: it is not in the report"]
    if "vulns" not in entry or entry.get("skip_reason"):
        return [f"{name} {version}: not looked up: {entry.get('skip_reason') or 'the report does not say'}"]
    if entry.get("version") != version:
        return [f"{name} {version}: not looked up: the report is of {entry.get('version')}"]
    return [
        f"{name} {version}: {vulnerability['id']}, fixed in {', '.join(vulnerability['fix_versions']) or 'no version'}"
        for vulnerability in entry["vulns"]
    ]
