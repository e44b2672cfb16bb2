"""A process that is shut in: what code of others tries there, by Python and by bare system calls."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from strades_pipelines.settings import PROJECT
from strades_pipelines.system import isolation
from strades_pipelines.system.isolation import IsolationUnavailable, check_available
from tests.shut_in import require_isolation, shut_in

__all__ = ["shut_in"]
SHUT_IN = f"""
import ctypes, fcntl, json, os, socket, struct, subprocess, sys, threading
from pathlib import Path
from strades_pipelines.system.isolation import Limits, isolate

work, outside, parent = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
isolate(readable=[Path({sysconfig.get_path("stdlib")!r})], writable=work, limits=Limits(20, 2**30, 1_000_000))
libc = ctypes.CDLL(None, use_errno=True)

def call(*numbers):
    if libc.syscall(*numbers) < 0:
        raise OSError(ctypes.get_errno(), "refused")

def own():
    (work / "mine").write_text("x")
    return work / "mine"

def thread():
    one = threading.Thread(target=lambda: (work / "from-a-thread").write_text("x"))
    one.start()
    one.join()
    (work / "from-a-thread").read_text()

def in_a_thread():
    found = []
    def read():
        try:
            found.append(outside.read_text())
        except OSError as error:
            found.append(error)
    one = threading.Thread(target=read)
    one.start()
    one.join()
    if isinstance(found[0], OSError):
        raise found[0]

ATTEMPTS = {{
    "fork": os.fork, "vfork": lambda: call(58), "clone a process": lambda: call(56, 17, 0, 0, 0, 0),
    "clone3": lambda: call(435, bytes(88), 88), "posix_spawn": lambda: os.posix_spawn("/bin/true", ["true"], {{}}),
    "subprocess": lambda: subprocess.run(["/bin/true"], check=True), "exec": lambda: os.execv("/bin/true", ["true"]),
    "socket": lambda: socket.socket(), "unix socket": lambda: socket.socket(socket.AF_UNIX),
    "socketpair": lambda: socket.socketpair(), "io_uring": lambda: call(425, 1, bytes(120)),
    "socket by its other number": lambda: call(0x40000000 + 41, 2, 1, 0),
    "read a secret": outside.read_text, "read it in a thread": in_a_thread,
    "list its folder": lambda: os.listdir(outside.parent),
    "read it through a link": lambda: ((work / "link").symlink_to(outside), (work / "link").read_text()),
    "move it here": lambda: os.link(outside, work / "here"),
    "environment of the parent": lambda: open(f"/proc/{{parent}}/environ").read(),
    "passwd": lambda: open("/etc/passwd").read(), "overwrite it": lambda: outside.write_text("x"),
    "write into the library": lambda: open(os.__file__, "a").close(), "signal the parent": lambda: os.kill(parent, 0),
    "trace the parent": lambda: call(101, 16, parent, 0, 0), "shared memory": lambda: call(29, 1234, 4096, 0o1600),
    "new namespaces": lambda: call(272, 0x10000000), "limits of the parent": lambda: call(302, parent, 7, bytes(16), 0),
    "a large file": lambda: (work / "large").write_bytes(bytes(2_000_000)), "much memory": lambda: bytearray(2**31),
    "mode of a file outside": lambda: call(452, -100, os.fsencode(outside), 0o666, 0),
    "attributes by their newer number": lambda: call(463, -100, os.fsencode(outside), 0, b"user.x", bytes(16), 16),
    "flags of a file": lambda: call(469, -100, os.fsencode(outside), bytes(24), 24, 0),
    "a call of a kernel to come": lambda: call(600),
    "lsetxattr": lambda: call(189, os.fsencode(outside), b"user.x", b"1", 1, 0),
    "fsetxattr": lambda: call(190, 0, b"user.x", b"1", 1, 0),
    "removexattr": lambda: call(197, os.fsencode(outside), b"user.x"),
    "futimesat": lambda: call(261, -100, os.fsencode(outside), None),
    "empty it": lambda: os.truncate(outside, 0), "empty one of its own": lambda: os.truncate(own(), 0),
    "memory without an address": lambda: os.memfd_create("x"),
    "room on the disk": lambda: os.posix_fallocate(os.open(own(), os.O_RDWR), 0, 1000),
    "signals of a file to the parent": lambda: fcntl.fcntl(0, fcntl.F_SETOWN, parent),
    "which signal": lambda: fcntl.fcntl(0, 10, 10),
    "of a thread": lambda: fcntl.fcntl(0, 15, struct.pack("ii", 1, parent)),
    "by its wide argument": lambda: call(72, 0, (1 << 32) + fcntl.F_SETOWN, parent),
    "owner of a file": lambda: fcntl.ioctl(0, 0x8901, struct.pack("i", parent)),
    "hold up who opens it": lambda: fcntl.fcntl(os.open(own(), os.O_RDONLY), 1024, fcntl.F_RDLCK),
    "flags of an open file": lambda: fcntl.ioctl(os.open(own(), os.O_RDONLY), 0x40086602, bytes([64, *bytes(7)])),
    "GOOD whether it is a terminal": lambda: os.isatty(0),
    "GOOD flags of a file": lambda: fcntl.fcntl(0, fcntl.F_SETFD, fcntl.fcntl(0, fcntl.F_GETFD)),
    "GOOD shorten one of its own": lambda: open(own(), "r+").truncate(0),
    "a mode with rights": lambda: (work / "mine").write_text("x") and os.chmod(work / "mine", 0o4777),
    "GOOD read the library": lambda: open(os.__file__).read(),
    "GOOD write here": lambda: (work / "own").write_text("x"),
    "GOOD a thread": thread, "GOOD own limits": lambda: __import__("resource").getrlimit(7),
}}
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
said = {{}}
for name, attempt in ATTEMPTS.items():
    try:
        attempt()
        said[name] = "done"
    except BaseException as error:
        said[name] = type(error).__name__
print(json.dumps(said))
"""


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file outside of what a child may read."""
    path = tmp_path / "home" / "bundle-key.pem"
    path.parent.mkdir()
    path.write_text("a secret")
    return path


@pytest.mark.usefixtures("shut_in")
def test_code_that_is_shut_in_has_no_network_no_process_and_no_file_of_others(tmp_path: Path, secret: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    secret.chmod(0o600)
    before = secret.stat()
    command = [sys.executable, "-c", SHUT_IN, str(work), str(secret), str(os.getpid())]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    good = {name: word for name, word in said.items() if name.startswith("GOOD")}
    assert set(good.values()) == {"done"}, good
    refused = {"PermissionError", "OSError", "BlockingIOError", "MemoryError"}
    assert {name: word for name, word in said.items() if word not in refused} == good
    # By the filter: a kernel without x32 has no such call, which is another error.
    assert said["socket by its other number"] == "PermissionError"
    # By the filter, on each kernel: Landlock of a later one would answer likewise, with another error.
    for name in (
        "signals of a file to the parent",
        "which signal",
        "by its wide argument",
        "owner of a file",
        "empty one of its own",
    ):
        assert said[name] == "PermissionError", name
    after = secret.stat()
    assert (after.st_mode, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_mode,
        before.st_mtime_ns,
        before.st_ctime_ns,
    )
    assert secret.read_text() == "a secret"


@pytest.mark.usefixtures("shut_in")
def test_a_process_of_several_threads_is_not_shut_in() -> None:
    text = """
import threading, time
from pathlib import Path
from strades_pipelines.system.isolation import isolate
threading.Thread(target=time.sleep, args=[5], daemon=True).start()
isolate(readable=[], writable=Path("/tmp"))
"""
    done = subprocess.run([sys.executable, "-c", text], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert "of one thread" in done.stderr.splitlines()[-1]
    assert done.returncode == 1


def test_a_machine_that_cannot_shut_a_process_in_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(IsolationUnavailable, match=r"expected Linux on x86-64, .* on aarch64"):
        check_available()
    monkeypatch.undo()
    require_isolation()
    monkeypatch.setattr(isolation, "_landlock_abi", lambda: -1)
    with pytest.raises(IsolationUnavailable, match="Landlock"):
        check_available()
