"""`python -m dashboard serve | createuser | removefactor | digests`: `strades dashboard`, in a process of its own."""

import argparse
import gc
import getpass
import os
import socket
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
STOP_SECONDS = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0, or 2 where the input is wrong."""
    options = _parser().parse_args(arguments)
    import django

    from strades_pipelines.settings import SettingsError

    try:
        django.setup()
    except SettingsError as error:
        return _complain(str(error))
    from dashboard.prepare import prepare

    prepare()
    return COMMANDS[options.command](options)


def _serve(options: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM."""
    import uvicorn
    from django.db import connections
    from django.urls import get_resolver

    from dashboard.accounts.adapter import no_account_yet
    from dashboard.asgi import application
    from dashboard.trusted_proxy import TrustedProxy
    from strades_pipelines.origins import is_loopback

    if not is_loopback(options.host) and not options.without_account and no_account_yet():
        return _complain(f"no account yet, so not on {options.host}; `strades dashboard createuser NAME --role admin`")
    # The look for an account has made a connection in this thread, which serves nothing.
    connections.close_all()

    # WhiteNoise hands over a style sheet of a few kB as it would a large file.
    warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")
    config = uvicorn.Config(
        TrustedProxy(application) if options.socket else application,
        host=options.host,
        port=options.port,
        log_level="warning",
        log_config=None,  # what `settings.LOGGING` says
        lifespan="off",
        ws="none",
        server_header=False,
        # Who may name a visitor is decided by the listener (TrustedProxy), not by a header.
        proxy_headers=False,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    sockets = [config.bind_socket(), _unix_socket(options.socket)] if options.socket else None
    assert get_resolver().url_patterns  # loads all views now, not for the first visitor
    # What is loaded stays. Looking through it for garbage while 28,000 rows were read was two thirds of the 4D view's
    # first answer (330 ms of the processor to 120, 2026-11-30).
    gc.freeze()
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets)
    return 0


def _unix_socket(path: Path) -> socket.socket:
    """A socket that only this user can open, in place of one that an earlier process left."""
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    # The mode from its first moment on: a chmod after the bind comes too late.
    before = os.umask(0o177)
    try:
        listening.bind(str(path))
    finally:
        os.umask(before)
    return listening


def _create_user(options: argparse.Namespace) -> int:
    """Make an account; its password comes from the terminal, or as one line on standard input."""
    from django.core.exceptions import ValidationError

    from dashboard.accounts.creation import create_account
    from strades_pipelines.brokerage.command_log import current_user

    password = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    try:
        user = create_account(options.name, password, role=options.role, by=f"{current_user()} (terminal)")
    except ValidationError as error:
        return _complain(" ".join(error.messages))
    print(f"{user.pseudo}: account of role {user.role}")
    return 0


def _remove_factor(options: argparse.Namespace) -> int:
    """Remove an account's second factor; until it sets another one up, its password alone signs in."""
    from dashboard.accounts.models import User
    from dashboard.accounts.second_factor import remove_second_factor
    from strades_pipelines.brokerage.command_log import current_user

    try:
        had_one = remove_second_factor(options.name, by=f"{current_user()} (terminal)")
    except User.DoesNotExist:
        return _complain(f"no account is named {options.name!r}")
    outcome = "second factor removed, signed out everywhere" if had_one else "has no second factor"
    print(f"{options.name}: {outcome}")
    return 0


def _send_digests(_options: argparse.Namespace) -> int:
    """Send the digests that are due; 1 where the mail server cannot be used."""
    from django.conf import settings as pages

    from dashboard.community.digests import send_digests
    from strades_pipelines.settings import settings
    from strades_pipelines.system.alerting import send_letter

    server = settings().alert_smtp
    if server is None:
        print("STRADES_ALERT_SMTP is not set: no digest is sent")
        return 0
    own = f"http://127.0.0.1:{settings().dashboard_port}"
    # The https address first: a mail should lead there.
    site = min(pages.PUBLIC_ORIGINS, key=lambda origin: not origin.startswith("https://"), default=own)
    try:
        count = send_digests(lambda letter: send_letter(server, letter), site=site)
    except OSError as error:  # its text may repeat a password
        print(f"strades: digests are not sent, {type(error).__name__}; see STRADES_ALERT_SMTP", file=sys.stderr)
        return 1
    print(f"digests sent: {count}")
    return 0


def _complain(line: str) -> int:
    """Say what is wrong with the input; returns the exit code."""
    print(f"strades: {line}", file=sys.stderr)
    return 2


COMMANDS = {
    "serve": _serve,
    "createuser": _create_user,
    "removefactor": _remove_factor,
    "digests": _send_digests,
}


def _parser() -> argparse.ArgumentParser:
    from strades_pipelines.settings import settings

    parser = argparse.ArgumentParser(prog="python -m dashboard", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="serve the pages")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on")
    serve.add_argument("--port", type=int, default=settings().dashboard_port, help="port to listen on")
    serve.add_argument("--socket", type=Path, help="a Unix socket to listen on as well, for NGINX")
    serve.add_argument(
        "--without-account",
        action="store_true",
        help="listen there before there is an account; the first is then made by createuser alone",
    )
    create = commands.add_parser("createuser", help="make an account")
    create.add_argument("name", help="the name to sign in with")
    commands.add_parser("digests", help="send the mails about the feed that are due")
    remove = commands.add_parser("removefactor", help="remove an account's second factor")
    remove.add_argument("name", help="the name of the account")
    create.add_argument("--role", choices=("viewer", "analyst", "trader", "admin"), default="viewer")
    return parser


if __name__ == "__main__":
    sys.exit(main())
