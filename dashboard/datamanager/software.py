"""Software information: what is installed, with which licences, and a report to copy."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboard.core.numbers import bytes_text
from dashboard.gateway.reading import snapshot
from dashboard.gateway.software import (
    Backup,
    Database,
    read_components,
    read_database,
    read_last_backup,
    read_software,
)
from strades_pipelines.installation.examination import Examination, last_examination, without_secrets
from strades_pipelines.settings import settings


@require_safe
def software(request: HttpRequest) -> HttpResponse:
    """Version and licences, for everybody."""
    return render(request, "datamanager/software.html", {"software": read_software(), "components": read_components()})


@require_safe
def bug_report(request: HttpRequest) -> HttpResponse:
    """The database, the last backup, and what the doctor said, as text to copy."""
    with snapshot():
        database, backup = read_database(), read_last_backup()
    examination = last_examination()
    context = {
        "software": read_software(),
        "database": database,
        "backup": backup,
        "examination": examination,
        "report": report_text(database, backup, examination),
    }
    return render(request, "datamanager/bug_report.html", context)


def report_text(database: Database, backup: Backup | None, examination: Examination | None) -> str:
    """All of it as lines, in English whatever the page's language is: whoever reads the report may speak another."""
    installed = read_software()
    lines = [
        f"strades {installed.version}",
        f"commit {installed.commit or 'not a checkout'}",
        f"requirements.lock {installed.lock_hash or 'none'}",
        f"world {settings().world}",
        f"PostgreSQL {database.server}, {bytes_text(database.size)}",
        f"migrations {database.migrations}, the newest {database.newest_migration}",
        f"last backup {backup.taken_at.isoformat() if backup else 'none noted'}",
        f"strades doctor {examination.at.isoformat() if examination else 'never'}",
    ]
    if examination:
        lines += [f"{finding.state:4} {finding.what:28} {finding.detail}" for finding in examination.findings]
    return without_secrets("\n".join(lines))
