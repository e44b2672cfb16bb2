"""`strades doctor`: checks everything that an installation needs, and says what to do about what is missing."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime

import psutil
from rich.console import Console

from strades_pipelines.installation.database_checks import (
    check_account_changes,
    check_dashboard,
    check_growth,
    check_schema,
    check_server,
    describe_sizes,
)
from strades_pipelines.installation.examination import DoctorWarning, Finding
from strades_pipelines.installation.machine_checks import (
    check_disk_space,
    check_home_files,
    check_ports,
    check_python,
    check_user,
    describe_pages,
)
from strades_pipelines.settings import settings

UP_GRACE_SECONDS = 180  # that a part of `strades up` may take to start


def examine() -> list[Finding]:
    """Run every check in turn; one that fails does not hide the others."""
    checks: list[tuple[str, Callable[[], str]]] = [
        ("Python", check_python),
        ("user", check_user),
        ("disk space", check_disk_space),
        ("files of the home", check_home_files),
        ("Sources.json and protocols", _check_sources),
        ("Wallets.json", _check_wallets),
        ("database server", check_server),
        ("schema", check_schema),
        ("trading", _check_trading),
        ("age of decisions", _check_decision_ages),
        ("streams", _check_streams),
        ("hosts", _check_hosts),
        ("sizes", describe_sizes),
        ("growth", check_growth),
        ("dbt project", _check_dbt),
        ("Dagster definitions", _check_definitions),
        ("ports", check_ports),
        ("pages", describe_pages),
        ("dashboard", check_dashboard),
        ("changes of accounts", check_account_changes),
        ("work", _check_work),
    ]
    return list(_findings(checks))


def _findings(checks: list[tuple[str, Callable[[], str]]]) -> Iterator[Finding]:
    for what, check in checks:
        try:
            yield Finding(what, True, check())
        except DoctorWarning as warning:
            yield Finding(what, True, str(warning), warning=True)
        except Exception as error:
            yield Finding(what, False, " ".join(str(error).split()) or type(error).__name__)


def show_findings(findings: list[Finding], console: Console) -> None:
    """Print the findings, one line each."""
    for finding in findings:
        mark = "[yellow]warn[/]" if finding.warning else "[green]ok  [/]" if finding.good else "[red]bad [/]"
        console.print(f"{mark} {finding.what:28} {finding.detail}", soft_wrap=True, highlight=False)


def _check_sources() -> str:
    from strades_pipelines.datamanager.sources import load_sources

    sources = load_sources(settings().sources)
    return f"{len(sources.websites)} websites, {len(sources.instruments)} instruments"


def _check_wallets() -> str:
    from strades_pipelines.brokerage.wallets import WalletsError, read_wallets

    wallets = read_wallets(settings().wallets)
    faults = [f"wallet {fault.wallet}: {fault.message}" for fault in wallets.faults]
    for template in wallets.templates:
        try:
            template.check()
        except WalletsError as error:
            faults.append(f"wallet {template.name}: {error}")
    if faults:
        raise RuntimeError(f"{'; '.join(faults)}; the other wallets trade")
    return f"{len(wallets.templates)} wallets"


def _check_trading() -> str:
    from strades_pipelines.brokerage.wallet_health import wallet_problems
    from strades_pipelines.database.connection import connect

    with connect() as connection:
        problems = wallet_problems(connection, now=settings().now())
    if problems:
        raise RuntimeError("; ".join(problems))
    return "no wallet is halted, no order in doubt"


def _check_decision_ages() -> str:
    from strades_pipelines.brokerage.decision_age import outlooks
    from strades_pipelines.brokerage.trade_pass import TRADING_MODES
    from strades_pipelines.brokerage.wallets import read_wallets
    from strades_pipelines.datamanager.sources import load_sources

    sources, now = load_sources(settings().sources), settings().now()
    problems, notes = [], []
    for template in read_wallets(settings().wallets).of_modes(TRADING_MODES).templates:
        found, missing = outlooks(template, sources, now=now)
        problems += [f"wallet {template.name}: {line}" for line in missing]
        for outlook in found:
            text = (
                f"wallet {template.name}: {outlook.stale} of {outlook.decisions} decisions on {outlook.instrument} "
                f"would be older than max_decision_age_minutes, {template.max_age} (up to {outlook.longest})"
            )
            if outlook.is_hopeless:
                problems.append(f"{text}; raise it, or fetch its source more often")
            elif outlook.stale:
                notes.append(text)
    if problems:
        raise RuntimeError("; ".join(problems))
    return "; ".join(notes) or "every decision can become an order in time"


def _check_streams() -> str:
    from strades_pipelines.database.connection import connect
    from strades_pipelines.ingestion.streams.states import kept_now, read_states, stream_problems
    from strades_pipelines.ingestion.streams.stream_sources import wanted_streams

    wanted, now = wanted_streams(settings().sources), datetime.now(UTC)
    with connect() as connection:
        states = [each for each in read_states(connection) if each.source in wanted]
    if problems := stream_problems(states, wanted, now, is_served=_has_been_served_for(UP_GRACE_SECONDS)):
        raise RuntimeError("; ".join(problems))
    states = kept_now(states, now)
    if not states:
        return f"not kept now; `strades up` keeps those of {', '.join(sorted(wanted)) or 'no source: none has one'}"
    gaps = sum(each.gaps for each in states)
    return f"{len(states)} live, {gaps} gaps being asked for" if gaps else f"{len(states)} live"


def _check_hosts() -> str:
    from strades_pipelines.database.connection import connect
    from strades_pipelines.datamanager.host_limits import read_hosts

    with connect() as connection:
        hosts = read_hosts(connection)
    if lines := [row.line for row in hosts if not row.is_asked]:
        raise DoctorWarning("; ".join(lines))
    return f"{len(hosts)} were asked, none holds requests back"


def _has_been_served_for(seconds: float) -> bool:
    """Whether `strades up` has run for that long: its parts have started by then."""
    from strades_pipelines.supervision.down import record_path
    from strades_pipelines.supervision.record import read_record

    record = read_record(record_path())
    if record is None or not record.up_runs():
        return False
    with suppress(psutil.NoSuchProcess):
        return bool(time.time() - psutil.Process(record.up[0]).create_time() > seconds)
    return False


def _check_dbt() -> str:
    from strades_pipelines.resources.dbt_project import ensure_manifest

    return str(ensure_manifest().name)


def _check_definitions() -> str:
    from strades_pipelines.definitions import defs

    graph = defs().resolve_asset_graph()
    return f"{len(graph.executable_asset_keys)} assets, {len(graph.asset_check_keys)} checks"


def _check_work() -> str:
    from strades_pipelines.supervision.watch import work_line

    keeps_up, line = work_line()
    if not keeps_up:
        raise RuntimeError(f"{line}; see {settings().home / 'logs' / 'up.log'}")
    return line
