"""`python -m dashboard serve | createuser`: what `strades dashboard` runs, in a process of its own."""

import argparse
import getpass
import os
import sys
import warnings
from collections.abc import Sequence

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
STOP_SECONDS = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0, or 2 where the input is wrong."""
    options = _parser().parse_args(arguments)
    import django

    django.setup()
    from dashboard.prepare import prepare

    prepare()
    return _serve(options) if options.command == "serve" else _create_user(options)


def _serve(options: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM."""
    import uvicorn

    from dashboard.asgi import application

    # WhiteNoise hands over a style sheet of a few kB as it would a large file.
    warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")
    uvicorn.run(
        application,
        host=options.host,
        port=options.port,
        log_level="warning",
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    return 0


def _create_user(options: argparse.Namespace) -> int:
    """Make an account; its password comes from the terminal, or as one line on standard input."""
    from django.core.exceptions import ValidationError

    from dashboard.accounts.creation import create_account

    password = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    try:
        user = create_account(options.name, password, role=options.role)
    except ValidationError as error:
        print(f"strades: {' '.join(error.messages)}", file=sys.stderr)
        return 2
    print(f"{user.pseudo}: account of role {user.role}")
    return 0


def _parser() -> argparse.ArgumentParser:
    from strades_pipelines.settings import settings

    parser = argparse.ArgumentParser(prog="python -m dashboard", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="serve the pages")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on")
    serve.add_argument("--port", type=int, default=settings().dashboard_port, help="port to listen on")
    create = commands.add_parser("createuser", help="make an account")
    create.add_argument("name", help="the name to sign in with")
    create.add_argument("--role", choices=("viewer", "analyst", "trader", "admin"), default="viewer")
    return parser


if __name__ == "__main__":
    sys.exit(main())
