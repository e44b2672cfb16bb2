"""The `strades` command. People read its tables; programs read `--json`: one document on standard output.

Exit codes: 0 done, 1 the work failed, 2 the input is wrong (one line on standard error).
"""

import os
import shutil
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from typer.exceptions import TyperException

from strades_pipelines.database.errors import cause
from strades_pipelines.operations import (
    bundle_commands,
    data_commands,
    database_commands,
    serving,
    trading_commands,
)
from strades_pipelines.operations.output import print_json
from strades_pipelines.research import research_commands, strategy_checks
from strades_pipelines.research.research_options import Json
from strades_pipelines.settings import SettingsError, settings
from strades_pipelines.system import stopping
from strades_pipelines.system.json_logs import log_as_json

app = typer.Typer(
    no_args_is_help=True, pretty_exceptions_enable=False, help="From a list of sources to trades you can account for."
)
sources_app = typer.Typer(no_args_is_help=True, help="The list of sources.")
app.add_typer(sources_app, name="sources")
app.add_typer(database_commands.app, name="db")
app.add_typer(bundle_commands.app, name="bundle")
app.add_typer(research_commands.app)
app.add_typer(strategy_checks.app)
app.add_typer(data_commands.app)
app.add_typer(serving.app)
app.add_typer(trading_commands.app)
# With less the database's server cannot go on: it writes its log in files of 16 MB.
ROOM = 32_000_000


class UsageError(ValueError):
    """A word of the command line cannot be used."""


def main() -> None:
    """Run the command; an expected error is one line and its exit code, never a traceback."""
    stopping.arm()
    os.umask(0o077)  # what an installation writes is for its owner alone
    try:
        if settings().log_format == "json":
            log_as_json()
        with stopping.at_stop(_end_queries):
            sys.exit(app(standalone_mode=False) or 0)
    except typer.Abort:
        # As after Ctrl-C: 128 and the number of SIGINT.
        sys.exit(130)
    except TyperException as error:
        said = getattr(error, "format_message", None)  # of wrong words, with the name of the option
        _complain(said() if said else error, 2)
    except Exception as error:
        wrong_input = isinstance(error, (UsageError, SettingsError, *_input_errors()))
        if not wrong_input and settings().show_tracebacks:
            raise
        _complain(error, 2 if wrong_input else 1)
    finally:
        stopping.begin_nothing_more_if_requested()
        stopping.disarm()


def _end_queries() -> None:
    # Not imported here: the main thread may be importing it, and then there is no query yet.
    connections = sys.modules.get("strades_pipelines.database.connection")
    if connections is not None:
        connections.terminate_own_backends()


def _complain(error: object, code: int) -> NoReturn:
    stopping.begin_nothing_more_if_requested()  # it failed because its child processes were ended; the stop is told
    text = cause(str(error)) or type(error).__name__
    home = settings().home if code == 1 else None
    if home is not None and home.exists() and shutil.disk_usage(home).free < ROOM:
        text = f"the disk of {home} is full: make room and run it again, nothing is lost ({text})"
    print(f"strades: {text}", file=sys.stderr)
    sys.exit(code)


def _input_errors() -> tuple[type[Exception], ...]:
    from strades_pipelines.bad_input import BadInput
    from strades_pipelines.brokerage.wallets import WalletsError
    from strades_pipelines.database.backup import BackupError
    from strades_pipelines.database.migrate import WorldMismatch
    from strades_pipelines.datamanager.protocols import ProtocolError
    from strades_pipelines.datamanager.sources import SourcesError
    from strades_pipelines.ingestion.verdicts import BodyRefused
    from strades_pipelines.serving.serve import AlreadyUp
    from strades_pipelines.system.ports import PortInUse

    files = BadInput, SourcesError, ProtocolError, BodyRefused, WalletsError, BackupError
    return *files, WorldMismatch, PortInUse, AlreadyUp


def _day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise UsageError(f"expected a day such as 2012-01-31, was {text!r}") from None


@app.command()
def run(
    from_: Annotated[
        str | None, typer.Option("--from", metavar="DAY", help="First day (UTC).", show_default="2012-01-01")
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="DAY", help="The day after the last.", show_default="2013-03-01")
    ] = None,
    as_json: Json = False,
) -> None:
    """The main job: fetch, clean, predict, decide, trade on paper, and report, over [from, to) and at the live edge."""
    from strades_pipelines.supervision.sandbox_server import sandbox_running

    first, last = _day(from_ or str(settings().window_from)), _day(to or str(settings().window_to))
    if first >= last:
        raise UsageError(f"--to: expected a day after --from {first:%Y-%m-%d}, was {last:%Y-%m-%d}")
    console = Console(stderr=as_json, highlight=False)
    _prepare(console)
    from strades_pipelines.orchestration.main_job import run_main_job
    from strades_pipelines.orchestration.report import show
    from strades_pipelines.partitions import Window

    with sandbox_running():
        document = run_main_job(Window(first, last), progress=partial(console.print, soft_wrap=True))
    if as_json:
        print_json(document)
    else:
        show(document, console)
    raise typer.Exit(1 if document["failures"] else 0)


def _prepare(console: Console) -> None:
    from strades_pipelines.datamanager.sources import load_sources
    from strades_pipelines.installation.install import prepare

    load_sources(settings().sources)  # a bad list of sources is refused before anything is made
    with console.status("database and schema"):
        prepare()


@app.command()
def up(
    behind_nginx: Annotated[
        bool, typer.Option("--nginx", help="Behind NGINX with TLS, on 8443 where STRADES_NGINX_PORT says no other.")
    ] = False,
) -> None:
    """Serve the sandbox, the dashboard, Dagster's webserver and daemon, and the dbt docs; Ctrl-C stops all of it."""
    from strades_pipelines.serving.serve import up as serve_up

    if behind_nginx:
        _go_behind_nginx(8443)
    stopping.disarm()  # it ends its parts in order
    console = Console(stderr=True)
    raise typer.Exit(serve_up(lambda: _prepare(console), console))


def _go_behind_nginx(port: int) -> None:
    """Take the port of NGINX where no setting names one; as a setting, which the parts of `up` take too."""
    if settings().nginx_port is None:
        os.environ["STRADES_NGINX_PORT"] = str(port)
        settings.cache_clear()


@app.command()
def report(as_json: Json = False) -> None:
    """What the last run did."""
    from strades_pipelines.database.reports import last_report
    from strades_pipelines.orchestration.report import show

    _prepare(Console(stderr=True))
    document = last_report()
    if document is None:
        print("strades: no run yet; start one with `strades run`", file=sys.stderr)
        raise typer.Exit(1)
    if as_json:
        print_json(document)
        return
    from strades_pipelines.supervision.watch import work_line

    show(document, Console())
    Console(highlight=False).print(f"Now: {work_line()[1]}", soft_wrap=True)


@sources_app.command("check")
def sources_check(
    file: Annotated[Path | None, typer.Argument(help="Default: the project's Sources.json.")] = None,
    as_json: Json = False,
) -> None:
    """Check the list of sources and the protocols it names."""
    from strades_pipelines.datamanager.sources import check_calendars, load_sources, missing_keys

    path = file or settings().sources
    sources = load_sources(path)
    check_calendars(sources, path, year=settings().now().year)
    missing = missing_keys(sources)
    if as_json:
        print_json(
            {
                "file": str(path),
                "websites": len(sources.websites),
                "financial_instruments": len(sources.instruments),
                "missing_keys": missing,
            }
        )
    else:
        for line in missing:
            print(f"strades: warning: {line}", file=sys.stderr)
        Console().print(
            f"{path}: {len(sources.websites)} websites, {len(sources.instruments)} financial instruments, all good"
        )


@app.command()
def trace(
    identity: Annotated[
        str | None, typer.Argument(metavar="ID", help="A fill, an order (intent) or a decision.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every fill, and every stored body.")] = False,
    as_json: Json = False,
) -> None:
    """From a fill or an order back to the bytes, and whether they still say what was traded on."""
    from strades_pipelines.lineage.lines import lines
    from strades_pipelines.lineage.row_lineage import NotFound
    from strades_pipelines.lineage.trace import trace_all, trace_one

    if (identity is None) != all_:
        raise UsageError("expected an ID or --all")
    _prepare(Console(stderr=True))
    try:
        document = trace_all() if all_ else trace_one(str(identity))
    except NotFound as error:
        raise UsageError(str(error)) from None
    if as_json:
        print_json(document)
    else:
        Console(highlight=False, soft_wrap=True).print(*lines(document), sep="\n")
    for fault in document["faults"]:
        print(f"strades: {fault}", file=sys.stderr)
    raise typer.Exit(1 if document["faults"] else 0)


@app.command()
def doctor(
    security: Annotated[
        bool, typer.Option("--security", help="Against docs/security.md instead; best while `strades up` runs.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check this installation and say how to fix what is wrong."""
    from strades_pipelines.installation.doctor import examine, show_findings
    from strades_pipelines.installation.examination import keep_examination
    from strades_pipelines.installation.security_check import examine_security
    from strades_pipelines.supervision.down import served_behind_nginx_at

    if port := served_behind_nginx_at():  # `up --nginx` has it from no setting
        _go_behind_nginx(port)
    findings = examine_security() if security else examine()
    if not security:
        keep_examination(findings, now=settings().now())
    print_json([finding.__dict__ for finding in findings]) if as_json else show_findings(findings, Console())
    raise typer.Exit(0 if all(finding.good for finding in findings) else 1)


if __name__ == "__main__":
    main()
