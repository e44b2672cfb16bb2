"""Checks of `strades doctor` on the database: server, schema, sizes and growth, accounts of the dashboard.

Each returns what is well in one line, and raises what is not.
"""

from strades_pipelines.installation.examination import DoctorWarning
from strades_pipelines.settings import settings


def check_server() -> str:
    """Connect to the database server; returns its version."""
    import psycopg

    from strades_pipelines.database.connection import server_url

    with psycopg.connect(server_url()) as connection:
        row = connection.execute("SELECT current_setting('server_version')").fetchone()
    return f"PostgreSQL {row[0] if row else ''} {'named by DATABASE_URL' if settings().database_url else 'embedded'}"


def check_schema() -> str:
    """Make and migrate this world's databases."""
    from strades_pipelines.installation.install import prepare

    prepare()
    return f"world {settings().world}, up to date"


def describe_sizes() -> str:
    """List how large the parts of the database are."""
    from strades_pipelines.database.connection import connect
    from strades_pipelines.database.sizes import WITHIN, read_dagster_tables, read_sizes

    with connect() as connection:
        sizes = read_sizes(connection)
    tables = ", ".join(f"{name} {_size_text(size)}" for name, size in read_dagster_tables())
    details = {"dagster": f" ({tables})", "world": f" (bodies {_size_text(sizes['bodies'])})"}
    parts = [f"{part} {_size_text(size)}{details.get(part, '')}" for part, size in sizes.items() if part not in WITHIN]
    return ", ".join(parts)


def check_growth() -> str:
    """Refuse a disk that is full, or will be soon at the growth of the last nights."""
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
    return f"disk {disk.used_share:.0%} full, {_size_text(growth)} a day: {outlook}"


def _size_text(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if abs(size) >= 1e9 else f"{size / 1e6:.0f} MB"


def check_dashboard() -> str:
    """Count the accounts, and warn where the first visitor becomes the admin (`adapter.py`).

    Refused where the dashboard's role cannot log in.
    """
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


def check_account_changes() -> str:
    """Verify the hash chain over the rows of changes of accounts."""
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
