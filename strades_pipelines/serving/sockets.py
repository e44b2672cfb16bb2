"""Where the parts of `strades up` have their Unix sockets: a folder that only its owner can enter."""

import hashlib
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from strades_pipelines.bad_input import BadInput
from strades_pipelines.settings import settings

# sockaddr_un holds 108 bytes on Linux, 104 on macOS, with the zero at the end.
LONGEST_SOCKET_PATH = 100


def code_socket() -> Path:
    """The socket of the code location, in a folder that only its owner can enter."""
    return Path(os.environ["STRADES_CODE_SOCKET"])


def socket_folder() -> Path:
    """The folder of the sockets, the same at each start: Tor keeps the path. In /tmp where the home's path is long."""
    home = settings().home.resolve()
    if len(os.fsencode(home / "run" / "dashboard.sock")) <= LONGEST_SOCKET_PATH:
        return home / "run"
    return Path("/tmp") / f"strades-{os.geteuid()}-{hashlib.sha256(os.fsencode(home)).hexdigest()[:16]}"


def make_socket_folder() -> Path:
    """Make `socket_folder` for this user alone, and name the code location's socket in the environment.

    Raises:
        BadInput: it is somebody else's.
    """
    folder = socket_folder()
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700, parents=True)
    found = folder.lstat()  # anybody can make one in /tmp, or a link
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise BadInput(f"{folder} is somebody else's: remove it, or give STRADES_HOME a shorter path")
    folder.chmod(0o700)
    os.environ["STRADES_CODE_SOCKET"] = str(folder / "code.sock")
    return folder


def remove_socket_folder(folder: Path) -> None:
    """Remove what `make_socket_folder` made."""
    shutil.rmtree(folder, ignore_errors=True)
