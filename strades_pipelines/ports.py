"""Ports of this machine. `python -m strades_pipelines.ports PORT` waits until something listens there."""

import socket
import sys
import time

LOOPBACK = "127.0.0.1"


class PortInUse(RuntimeError):
    """Another program listens where one of ours should."""


def free_port() -> int:
    """A port of the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def is_taken(port: int) -> bool:
    """Whether a server of ours could not listen on `port` of the loopback address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False


def wait_for(port: int, *, seconds: float) -> bool:
    """Wait until something listens on `port`; False when nothing did after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex((LOOPBACK, port)) == 0:
                return True
        time.sleep(0.1)
    return False


if __name__ == "__main__":
    sys.exit(0 if wait_for(int(sys.argv[1]), seconds=600) else 1)
