"""`python -m sandbox`: serve the offline world where `STRADES_SANDBOX_URL` says, on this machine's loopback only."""

import argparse
import ipaddress
import json
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

from sandbox.misbehaviour import RuleError, Rules, rule_from
from sandbox.world import World
from strades_pipelines.settings import SettingsError, settings

EXTRA = Path(__file__).parent / "extra"


class ServeError(Exception):
    """Why the server did not start, in one line."""


def main() -> int:
    """Serve until interrupted. Returns 0, or 2 with one line on standard error where it cannot start."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument(
        "--misbehave",
        action="append",
        default=[],
        metavar="JSON",
        help="a rule from the start, as POST /-/misbehave takes it",
    )
    arguments = parser.parse_args()
    try:
        rules = Rules([rule_from(json.loads(text)) for text in arguments.misbehave])
        configured = settings()
        listening = listen(configured.sandbox_url)
    except (ServeError, RuleError, SettingsError, ValueError) as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 2
    clock_held = configured.sandbox_now is not None
    world = World(now=configured.now, clock_held=clock_held, seed=configured.sandbox_seed, extra=EXTRA)
    clock = f"held at {configured.now().isoformat()}" if clock_held else "real time"
    print(
        f"sandbox: serving at {configured.sandbox_url}, clock {clock}, synthetic market of seed {world.seed}",
        file=sys.stderr,
        flush=True,
    )
    serve(world, rules, listening)
    return 0


def listen(url: str) -> socket.socket:
    """A socket bound to the host and port of `url`.

    Raises:
        ServeError: when the host is not a loopback address, or the port is taken.
    """
    parts = urlsplit(url)
    try:
        address = ipaddress.ip_address("127.0.0.1" if parts.hostname == "localhost" else parts.hostname or "")
        port = parts.port or 80
    except ValueError:
        raise ServeError(f"STRADES_SANDBOX_URL: expected http://127.0.0.1:<port>, was {url!r}") from None
    if not address.is_loopback:
        raise ServeError(
            f"STRADES_SANDBOX_URL: expected a loopback address, was {url!r}: it would serve invented prices to others"
        )
    listening = socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET)
    # Else the port is held for a minute by connections of a server that has ended.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((str(address), port))
    except OSError as error:
        listening.close()
        raise ServeError(
            f"cannot listen on {address} port {port}: {error.strerror}; set STRADES_SANDBOX_URL or stop what holds it"
        ) from None
    listening.listen(128)
    return listening


def serve(world: World, rules: Rules, listening: socket.socket) -> None:
    """Serve on a bound socket until SIGINT or SIGTERM."""
    import uvicorn

    from sandbox.server import Sandbox

    app = Sandbox(world, rules=rules)
    # The sandbox sends its own Date: with the clock held, two answers are equal to the header.
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        date_header=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    sys.exit(main())
