"""Shut this process in before it runs code of others: no network, no new process, no file beyond those named.

Three parts of Linux do it, none of which needs root: Landlock (landlock(7)) for files, a filter (seccomp(2)) for system
calls, and limits (setrlimit(2)). All are checked to be there first: a process that cannot be shut in refuses.
What is not kept from the code: to use its time and memory up to the limits, and to read the files that are named. No
limit of Linux holds for all files of a process together or, without a user of its own, for its threads: who starts it
watches these.
"""

import ctypes
import errno
import os
import platform
import resource
import struct
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

# landlock(7): rights over files by bit; each ABI knows more of them.
_EXECUTE, _READ_FILE, _READ_DIR, _TRUNCATE = 1 << 0, 1 << 2, 1 << 3, 1 << 14
_RIGHTS_OF_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
_RIGHTS = (1 << 16) - 1  # from ABI 5 on, with ioctl on devices
_OF_FILES = _EXECUTE | _READ_FILE | (1 << 1) | _TRUNCATE | (1 << 15)
_TCP, _TCP_ABI = 0b11, 4
_SCOPED, _SCOPED_ABI = 0b11, 6  # abstract sockets and signals to processes outside
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG, _PATH_BENEATH = 1, 1
_O_PATH = getattr(os, "O_PATH", 0)
# prctl(2)
_SET_NO_NEW_PRIVS, _SET_SECCOMP, _SET_DUMPABLE, _FILTER = 38, 22, 4, 2
# System calls of x86-64 (arch/x86/entry/syscalls/syscall_64.tbl) that reach beyond the process.
_DENIED = {
    **{"socket": 41, "connect": 42, "accept": 43, "sendto": 44, "sendmsg": 46, "bind": 49, "listen": 50},
    **{"socketpair": 53, "accept4": 288, "sendmmsg": 307},
    **{"fork": 57, "vfork": 58, "execve": 59, "execveat": 322, "unshare": 272, "setns": 308},
    **{"kill": 62, "tkill": 200, "tgkill": 234, "rt_sigqueueinfo": 129, "rt_tgsigqueueinfo": 297},
    **{"pidfd_open": 434, "pidfd_getfd": 438, "pidfd_send_signal": 424},
    **{"ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "process_madvise": 440},
    **{"shmget": 29, "shmat": 30, "shmctl": 31, "semget": 64, "semop": 65, "semctl": 66, "msgget": 68, "msgsnd": 69},
    **{"msgrcv": 70, "msgctl": 71, "mq_open": 240},
    **{"setpriority": 141, "sched_setparam": 142, "sched_setscheduler": 144, "sched_setaffinity": 203},
    **{"sched_setattr": 314, "ioprio_set": 251},
    **{"io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "io_setup": 206},
    **{"bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "add_key": 248, "request_key": 249, "keyctl": 250},
    **{"mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "open_tree": 428, "move_mount": 429},
    **{"fsopen": 430, "fsmount": 432, "mount_setattr": 442, "open_by_handle_at": 304, "name_to_handle_at": 303},
    **{"swapon": 167, "swapoff": 168, "reboot": 169, "sethostname": 170, "setdomainname": 171},
    **{"init_module": 175, "finit_module": 313, "delete_module": 176, "kexec_load": 246, "kexec_file_load": 320},
    **{"settimeofday": 164, "clock_settime": 227, "adjtimex": 159, "clock_adjtime": 305, "acct": 163, "syslog": 103},
    **{"chmod": 90, "fchmod": 91, "fchmodat": 268, "chown": 92, "fchown": 93, "lchown": 94, "fchownat": 260},
    **{"setxattr": 188, "lsetxattr": 189, "fsetxattr": 190, "removexattr": 197, "lremovexattr": 198},
    **{"fremovexattr": 199, "utimensat": 280, "utime": 132, "utimes": 235, "futimesat": 261},
    # Landlock knows `truncate` from ABI 3 on; the memory of the other two is no address of the process.
    **{"truncate": 76, "memfd_create": 319, "fallocate": 285, "iopl": 172, "ioperm": 173},
    **{"setuid": 105, "setgid": 106, "setreuid": 113, "setregid": 114, "setgroups": 116, "setresuid": 117},
    **{"setresgid": 119, "inotify_init": 253, "inotify_init1": 294, "fanotify_init": 300, "quotactl": 179},
}
_CLONE, _CLONE3, _PRLIMIT, _FCNTL, _IOCTL = 56, 435, 302, 72, 16
# Calls from here on are not of Linux 5.13, the oldest that has all that is used: they are answered as it answers them.
# So `fchmodat2`, `setxattrat`, `file_setattr` and those that are not thought of yet are refused.
_FIRST_UNKNOWN = 447
# By these the kernel sends a signal to any process of the user when a file is ready (Landlock scopes them from ABI 6
# on), or holds up others that open it: F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLEASE.
_DENIED_FCNTL = (8, 10, 15, 1024)
# Of ioctl(2), which also changes flags of files that are open to be read, what Python asks: whether a file is a
# terminal and how wide (TCGETS, TIOCGWINSZ), what waits (FIONREAD), and to set FIONBIO, FIOCLEX and FIONCLEX.
_ALLOWED_IOCTL = (0x5401, 0x5413, 0x541B, 0x5421, 0x5451, 0x5450)
_CLONE_THREAD = 0x00010000
_ARCHITECTURE = 0xC000003E  # AUDIT_ARCH_X86_64
_X32 = 0x40000000
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
# Of classic BPF: load a word of seccomp_data, compare, return.
_LOAD, _EQUAL, _AT_LEAST, _HAS_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCH, _FIRST_ARGUMENT, _SECOND_ARGUMENT = 0, 4, 16, 24  # of an argument the lower 32 bits


class IsolationUnavailable(OSError):
    """This machine cannot shut a process in; one line on what is missing."""


@dataclass(frozen=True)
class Limits:
    """What the process may use; processor seconds, and bytes of addresses and of each file that it writes."""

    seconds: int = 300
    memory: int = 4 * 2**30
    file: int = 64 * 2**20


def check_available() -> None:
    """Refuse a machine on which `isolate` would leave a way out.

    Raises:
        IsolationUnavailable: what is missing.
    """
    if sys.platform != "linux" or platform.machine() != "x86_64" or struct.calcsize("P") != 8:
        raise IsolationUnavailable(
            f"expected Linux on x86-64, where code of others is shut in; this is {sys.platform} on {platform.machine()}"
        )
    if _landlock_abi() < 1:
        raise IsolationUnavailable("expected a kernel with Landlock (Linux 5.13 or later, `lsm=landlock`); it has none")


def isolate(*, readable: Iterable[Path], writable: Path, limits: Limits | None = None) -> None:
    """Shut this process in, and every thread that it starts from now on. Nothing undoes it.

    Call it before a second thread runs: those that run already are not shut in.

    Args:
        readable: files, and folders with all below them, that can be read; those that do not exist are left out.
        writable: a folder in which files can be made and changed, too.

    Raises:
        IsolationUnavailable: the kernel refuses a part; the process must end then.
    """
    check_available()
    if len(os.listdir("/proc/self/task")) != 1:
        raise IsolationUnavailable("expected a process of one thread, which alone can be shut in; it has several")
    _limit(limits or Limits())
    # Nobody else of this user attaches to it, and a crash leaves none of its memory behind.
    _prctl(_SET_DUMPABLE, 0)
    # Without it, the kernel takes neither the ruleset nor the filter from a user who is not root.
    _prctl(_SET_NO_NEW_PRIVS, 1)
    _restrict_files(readable, writable)
    _drop_capabilities()
    _filter_calls()


def _limit(limits: Limits) -> None:
    wanted = {
        resource.RLIMIT_CPU: limits.seconds,
        resource.RLIMIT_AS: limits.memory,
        resource.RLIMIT_FSIZE: limits.file,
        resource.RLIMIT_NOFILE: 64,  # also of what is open and has no name any more, which nobody can count
        resource.RLIMIT_CORE: 0,
    }
    for kind, most in wanted.items():
        hard = resource.getrlimit(kind)[1]
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (allowed, allowed))


def _landlock_abi() -> int:
    return int(_libc().syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG))


def _restrict_files(readable: Iterable[Path], writable: Path) -> None:
    abi = _landlock_abi()
    rights = _RIGHTS_OF_ABI.get(abi, _RIGHTS)
    words = [rights, _TCP if abi >= _TCP_ABI else 0, _SCOPED if abi >= _SCOPED_ABI else 0]
    known = 1 + (abi >= _TCP_ABI) + (abi >= _SCOPED_ABI)
    attributes = struct.pack(f"<{known}Q", *words[:known])
    ruleset = _call(_CREATE_RULESET, attributes, len(attributes), 0)
    for path in readable:
        if path.exists():
            _allow(ruleset, path, rights & (_EXECUTE | _READ_FILE | _READ_DIR))
    _allow(ruleset, writable, rights)
    _call(_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    descriptor = os.open(path, _O_PATH | os.O_CLOEXEC)
    # The kernel refuses rights of folders over a file.
    rights = rights if path.is_dir() else rights & _OF_FILES
    _call(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("<Qi", rights, descriptor), 0)
    os.close(descriptor)


def _drop_capabilities() -> None:
    """Root without capabilities is any user; who has none drops none."""
    # _LINUX_CAPABILITY_VERSION_3 and this process; three empty sets of 64 bits; 126 is capset(2).
    header, none = struct.pack("<Ii", 0x20080522, 0), bytes(24)
    _call(126, header, none)


def _filter_calls() -> None:
    program = b"".join(_program())

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))

    _prctl(_SET_SECCOMP, _FILTER, ctypes.byref(Program(len(program) // 8, program)))


def _program() -> list[bytes]:
    """The filter: instructions of eight bytes, each with how many to jump over if it holds and if not."""
    refused, absent = _REFUSE | errno.EPERM, _REFUSE | errno.ENOSYS
    lines = [
        _line(_LOAD, _ARCH),
        _line(_EQUAL, _ARCHITECTURE, 1, 0),
        _line(_RETURN, _KILL),
        _line(_LOAD, _NUMBER),
        _line(_AT_LEAST, _X32, 0, 1),  # the same calls under other numbers
        _line(_RETURN, refused),
        _line(_AT_LEAST, _FIRST_UNKNOWN, 0, 1),
        _line(_RETURN, absent),
        _line(_EQUAL, _CLONE3, 0, 1),  # its flags are in memory, where no filter sees them: libc then takes `clone`
        _line(_RETURN, absent),
        # A thread is let through, a process is not.
        _line(_EQUAL, _CLONE, 0, 4),
        _line(_LOAD, _FIRST_ARGUMENT),
        _line(_HAS_BITS, _CLONE_THREAD, 1, 0),
        _line(_RETURN, refused),
        _line(_RETURN, _ALLOW),
        # Limits of this process can be asked for, of others not be changed.
        _line(_EQUAL, _PRLIMIT, 0, 4),
        _line(_LOAD, _FIRST_ARGUMENT),
        _line(_EQUAL, 0, 1, 0),
        _line(_RETURN, refused),
        _line(_RETURN, _ALLOW),
        *_by_second_argument(_FCNTL, dict.fromkeys(_DENIED_FCNTL, refused), _ALLOW),
        *_by_second_argument(_IOCTL, dict.fromkeys(_ALLOWED_IOCTL, _ALLOW), refused),
    ]
    for number in sorted(_DENIED.values()):
        lines += [_line(_EQUAL, number, 0, 1), _line(_RETURN, refused)]
    return [*lines, _line(_RETURN, _ALLOW)]


def _by_second_argument(number: int, answers: Mapping[int, int], otherwise: int) -> list[bytes]:
    """Answer a call by its second argument, which the kernel reads as 32 bits."""
    chosen = [line for one, answer in answers.items() for line in (_line(_EQUAL, one, 0, 1), _line(_RETURN, answer))]
    lines = [_line(_LOAD, _SECOND_ARGUMENT), *chosen, _line(_RETURN, otherwise)]
    return [_line(_EQUAL, number, 0, len(lines)), *lines]


def _line(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)


def _prctl(*arguments: object) -> None:
    if _libc().prctl(*map(_word, [*arguments, *[0] * (5 - len(arguments))])) != 0:
        raise _failed(f"prctl({arguments[0]})")


def _call(number: int, *arguments: object) -> int:
    answer = int(_libc().syscall(*map(_word, [number, *arguments])))
    if answer < 0:
        raise _failed(f"system call {number}")
    return answer


def _word(argument: object) -> object:
    """An argument as wide as the kernel reads it: ctypes takes a whole number for one of 32 bits."""
    return ctypes.c_long(argument) if isinstance(argument, int) else argument


def _failed(what: str) -> IsolationUnavailable:
    return IsolationUnavailable(f"{what}: {os.strerror(ctypes.get_errno())}")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
