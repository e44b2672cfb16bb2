"""Checks of `strades doctor` on the machine: Python, user, disk, files of the home, ports.

Each returns what is well in one line, and raises what is not.
"""

import os
import shutil
import socket
import sys
from urllib.parse import urlsplit

from strades_pipelines.installation.examination import DoctorWarning
from strades_pipelines.settings import settings

SPACE_NEEDED = 2 * 1024**3


def check_python() -> str:
    """Refuse a version of Python that the dependencies do not run on."""
    version = ".".join(map(str, sys.version_info[:3]))
    if not (3, 11) <= sys.version_info[:2] < (3, 14):
        raise RuntimeError(f"expected 3.11 to 3.13, was {version}; run `make PYTHON=python3.12 setup`")
    return version


def check_user() -> str:
    """Warn of root."""
    if os.geteuid() == 0:
        raise DoctorWarning(
            "root: strategies and parsers then may do everything, and the embedded server, which runs as nobody, "
            "may read every file; use a user of its own"
        )
    return "not root"


def check_disk_space() -> str:
    """Refuse less than SPACE_NEEDED bytes free where the home is."""
    free = shutil.disk_usage(settings().home.parent).free
    if free < SPACE_NEEDED:
        raise RuntimeError(
            f"{free / 1024**3:.1f} GB free at {settings().home}; make room for at least {SPACE_NEEDED / 1024**3:.0f} GB"
        )
    return f"{free / 1024**3:.0f} GB free"


def check_home_files() -> str:
    """Refuse files of the home that other users may read."""
    from strades_pipelines.installation.security_check import open_to_others

    home = settings().home
    if found := open_to_others():
        raise RuntimeError(f"others may read {', '.join(map(str, found))}; `chmod go= FILE`")
    return f"{home} is for its owner alone" if home.exists() else "nothing is made yet"


def check_ports() -> str:
    """List the ports of `strades up`, and whether something listens on each."""
    ports = {
        "webserver": settings().webserver_port,
        "docs": settings().docs_port,
        "dashboard": settings().dashboard_port,
    }
    if (readonly := settings().readonly_port) is not None:
        ports["read-only pages"] = readonly
    if (front := settings().nginx_port) is not None:
        ports["NGINX"] = front
    if (metrics := settings().metrics_port) is not None:
        ports["metrics"] = metrics
    if settings().world == "sandbox":
        ports["sandbox"] = urlsplit(settings().sandbox_url).port or 80
    listed = [f"{name} 127.0.0.1:{port} ({'in use' if _is_taken(port) else 'free'})" for name, port in ports.items()]
    return f"{', '.join(listed)}; in use is fine if `strades up` runs"


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def describe_pages() -> str:
    """Say who can reach Dagster's pages, which have no login."""
    place = f"127.0.0.1:{settings().webserver_port}{settings().dagster_path}"
    return (
        f"no login: every user of this machine can start, stop and delete runs at {place} and read all that is shown "
        "there, fills and decisions included; see docs/security.md"
    )
