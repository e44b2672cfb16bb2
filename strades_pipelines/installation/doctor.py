"""`strades doctor`: looks at everything an installation needs, and says what to do about what is missing."""

import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import urlsplit

import psutil
from rich.console import Console

from strades_pipelines.installation.examination import Finding
from strades_pipelines.settings import settings

SPACE_NEEDED = 2 * 1024**3
UP_GRACE_SECONDS = 180  # that a part of `strades up` may take to start


class DoctorWarning(Exception):
    """A thing works, but should be changed; the message says why."""


def examine() -> list[Finding]:
    """Look at each thing in turn; one that fails does not hide the others."""
    looks: list[tuple[str, Callable[[], str]]] = [
        ("Python", _python),
        ("user", _user),
        ("disk space", _space),
        ("files of the home", _privacy),
        ("Sources.json and protocols", _sources),
        ("Wallets.json", _wallets),
        ("database server", _server),
        ("schema", _schema),
        ("trading", _trading),
        ("age of decisions", _decision_ages),
        ("streams", _streams),
        ("hosts", _hosts),
        ("sizes", _sizes),
        ("growth", _growth),
        ("dbt project", _dbt),
        ("Dagster definitions", _definitions),
        ("ports", _ports),
        ("pages", _pages),
        ("dashboard", _dashboard),
        ("changes of accounts", _account_changes),
        ("work", _work),
    ]
    return list(_findings(looks))


def _findings(looks: list[tuple[str, Callable[[], str]]]) -> Iterator[Finding]:
    for what, look in looks:
        try:
            yield Finding(what, True, look())
        except DoctorWarning as warning:
            yield Finding(what, True, str(warning), warning=True)
        except Exception as error:
            yield Finding(what, False, " ".join(str(error).split()) or type(error).__name__)


def show_findings(findings: list[Finding], console: Console) -> None:
    """Print the findings, one line each."""
    for finding in findings:
        mark = "[yellow]warn[/]" if finding.warning else "[green]ok  [/]" if finding.good else "[red]bad [/]"
        console.print(f"{mark} {finding.what:28} {finding.detail}", soft_wrap=True, highlight=False)


def _python() -> str:
    version = ".".join(map(str, sys.version_info[:3]))
    if not (3, 11) <= sys.version_info[:2] < (3, 14):
        raise RuntimeError(f"expected 3.11 to 3.13, was {version}; run `make PYTHON=python3.12 setup`")
    return version


def _user() -> str:
    if os.geteuid() == 0:
        raise DoctorWarning(
            "root: strategies and parsers then may do everything, and the embedded server, which runs as nobody, "
            "may read every file; use a user of its own"
        )
    return "not root"


def _space() -> str:
    free = shutil.disk_usage(settings().home.parent).free
    if free < SPACE_NEEDED:
        raise RuntimeError(f"{free / 1024**3:.1f} GB free at {settings().home}; make room for at least 2 GB")
    return f"{free / 1024**3:.0f} GB free"


def _sizes() -> str:
    from strades_pipelines.database.connection import connect
    from strades_pipelines.database.sizes import WITHIN, read_dagster_tables, read_sizes

    with connect() as connection:
        sizes = read_sizes(connection)
    tables = ", ".join(f"{name} {_short(size)}" for name, size in read_dagster_tables())
    details = {"dagster": f" ({tables})", "world": f" (bodies {_short(sizes['bodies'])})"}
    parts = [f"{part} {_short(size)}{details.get(part, '')}" for part, size in sizes.items() if part not in WITHIN]
    return ", ".join(parts)


def _growth() -> str:
    from strades_pipelines.database.connection import connect
    from strades_pipelines.database.sizes import daily_growth, disk_findings, full_at, read_disk, read_history

    now = settings().now()
    with connect() as connection:
        history = read_history(connection, now=now)
    disk, growth = read_disk(), daily_growth(history)
    findings = disk_findings(disk, growth, now=now)
    if findings:
        raise RuntimeError("; ".join(findings))
    if growth is None:
        return f"disk {disk.used_share:.0%} full; known after two nights of `strades up`"
    full = full_at(disk, growth, now=now)
    outlook = f"full around {full:%Y-%m}" if full else "not filling"
    return f"disk {disk.used_share:.0%} full, {_short(growth)} a day: {outlook}"


def _short(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if abs(size) >= 1e9 else f"{size / 1e6:.0f} MB"


def _privacy() -> str:
    from strades_pipelines.installation.security_check import open_to_others

    home = settings().home
    if found := open_to_others():
        raise RuntimeError(f"others may read {', '.join(map(str, found))}; `chmod go= FILE`")
    return f"{home} is for its owner alone" if home.exists() else "nothing is made yet"


def _sources() -> str:
    from strades_pipelines.datamanager.sources import load_sources

    sources = load_sources(settings().sources)
    return f"{len(sources.websites)} websites, {len(sources.instruments)} instruments"


def _wallets() -> str:
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


def _trading() -> str:
    from strades_pipelines.brokerage.wallet_health import wallet_problems
    from strades_pipelines.database.connection import connect

    with connect() as connection:
        problems = wallet_problems(connection, now=settings().now())
    if problems:
        raise RuntimeError("; ".join(problems))
    return "no wallet is halted, no order in doubt"


def _decision_ages() -> str:
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


def _streams() -> str:
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


def _hosts() -> str:
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


def _server() -> str:
    import psycopg

    from strades_pipelines.database.connection import server_url

    with psycopg.connect(server_url()) as connection:
        row = connection.execute("SELECT current_setting('server_version')").fetchone()
    return f"PostgreSQL {row[0] if row else ''} {'named by DATABASE_URL' if settings().database_url else 'embedded'}"


def _schema() -> str:
    from strades_pipelines.installation.install import prepare

    prepare()
    return f"world {settings().world}, up to date"


def _dbt() -> str:
    from strades_pipelines.resources.dbt_project import ensure_manifest

    return str(ensure_manifest().name)


def _definitions() -> str:
    from strades_pipelines.definitions import defs

    graph = defs().resolve_asset_graph()
    return f"{len(graph.executable_asset_keys)} assets, {len(graph.asset_check_keys)} checks"


def _work() -> str:
    from strades_pipelines.supervision.watch import work_line

    keeps_up, line = work_line()
    if not keeps_up:
        raise RuntimeError(f"{line}; see {settings().home / 'logs' / 'up.log'}")
    return line


def _ports() -> str:
    ports = {
        "webserver": settings().webserver_port,
        "docs": settings().docs_port,
        "dashboard": settings().dashboard_port,
    }
    if (readonly := settings().readonly_port) is not None:
        ports["read-only pages"] = readonly
    if (front := settings().nginx_port) is not None:
        ports["NGINX"] = front
    if (metrics := settings().metrics_port) is not None:
        ports["metrics"] = metrics
    if settings().world == "sandbox":
        ports["sandbox"] = urlsplit(settings().sandbox_url).port or 80
    listed = [f"{name} 127.0.0.1:{port} ({'in use' if _taken(port) else 'free'})" for name, port in ports.items()]
    return f"{', '.join(listed)}; in use is fine if `strades up` runs"


def _pages() -> str:
    place = f"127.0.0.1:{settings().webserver_port}{settings().dagster_path}"
    return (
        f"no login: every user of this machine can start, stop and delete runs at {place} and read all that is shown "
        "there, fills and decisions included; see docs/security.md"
    )


def _dashboard() -> str:
    """How many accounts there are; without one the first visitor from this machine may become admin (`adapter.py`)."""
    from psycopg import OperationalError

    from strades_pipelines.database.connection import LET_IN, connect, dashboard_database_url
    from strades_pipelines.database.roles import DASHBOARD_ROLE, may_log_in

    try:
        opened = connect(dashboard_database_url(), role=DASHBOARD_ROLE)
    except OperationalError as error:
        with connect() as asking:
            is_shut_out = not may_log_in(asking, DASHBOARD_ROLE)
        hint = LET_IN if is_shut_out else "`strades up` or `strades dashboard serve` sets its password anew"
        raise RuntimeError(f"{DASHBOARD_ROLE} cannot log in ({' '.join(str(error).split())}); {hint}") from error
    with opened as connection:
        if connection.execute("SELECT to_regclass('dashboard.user_logging_info')").fetchone() == (None,):
            return "not served yet; `strades up` or `strades dashboard serve`"
        row = connection.execute("SELECT count(*) FROM dashboard.user_logging_info").fetchone()
    place = f"http://127.0.0.1:{settings().dashboard_port}"
    if row == (0,) and (settings().world == "live" or settings().public_host):
        return "no account yet; `strades dashboard createuser NAME --role admin` makes the first"
    if row == (0,):
        raise DoctorWarning(f"no account yet: who first opens {place} becomes its admin; open it now")
    return f"{row[0] if row else 0} accounts; {place} while it is served"


def _account_changes() -> str:
    """Whether the rows of what was done to accounts are as they were written."""
    from strades_pipelines.database.audit import verify_account_changes
    from strades_pipelines.database.connection import connect

    with connect() as connection:
        if connection.execute("SELECT to_regclass('audit.account_changes')").fetchone() == (None,):
            return "not kept yet; the next `strades up` makes their table"
        report = verify_account_changes(connection)
    if report.faults:
        others = f" and {len(report.faults) - 1} more" if len(report.faults) > 1 else ""
        raise RuntimeError(f"{report.faults[0]}{others}; compare the table with a backup's: docs/security.md")
    since = "" if report.since is None else f" since {report.since:%Y-%m-%dT%H:%M:%SZ}"
    return f"{report.rows} rows, whole{since}; newest hash {report.head}"


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0
