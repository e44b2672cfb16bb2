"""Ports of this machine."""

import socket

LOOPBACK = "127.0.0.1"


class PortInUse(RuntimeError):
    """Another program listens where one of ours should."""


def free_port() -> int:
    """A port of the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def is_taken(port: int) -> bool:
    """Whether a server of ours could not listen on `port` of the loopback address.

    Raises:
        PermissionError: the system lets only root listen there.
    """
    with socket.socket() as probe:
        # As our servers do: a port whose last connection is in TIME_WAIT is free for them.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except PermissionError:
            raise
        except OSError:
            return True
    return False
