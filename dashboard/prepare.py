"""What the dashboard needs before it serves: its tables, its static files, its translations. Idempotent."""

from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.conf import settings
from django.core.checks import run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connections, transaction

from strades_pipelines.database.connection import advisory_lock, dashboard_database_url

HERE = Path(__file__).parent


def prepare() -> None:
    """Make what is missing."""
    prepare_tables()
    prepare_files()


def prepare_tables() -> None:
    """Refuse a URL without rights, then bring the dashboard's schema up to date; of two processes one waits.

    Raises:
        SystemCheckError: a URL that nobody said who may open.
    """
    if errors := [message for message in run_checks() if message.is_serious()]:
        raise SystemCheckError("; ".join(map(str, errors)))
    # Django notes a migration with foreign keys after its transaction: a process that ends between leaves tables that
    # no later run gets past. In one transaction around it, all or nothing is there.
    with advisory_lock(dashboard_database_url(), "dashboard"), transaction.atomic():
        call_command("migrate", verbosity=0, interactive=False)
    connections.close_all()


def prepare_files() -> None:
    """Write static files under hashed names, and translations in the form that is read."""
    compile_translations(HERE / "locale", settings.LOCALE_PATHS[0])
    call_command("collectstatic", verbosity=0, interactive=False, clear=False)


def compile_translations(source: Path, target: Path) -> None:
    """Write each catalogue of `source` in the form that gettext reads. They are text in the project, and small."""
    for catalogue in source.glob("*/LC_MESSAGES/django.po"):
        written = target / catalogue.relative_to(source).with_suffix(".mo")
        written.parent.mkdir(parents=True, exist_ok=True)
        with catalogue.open("rb") as text, written.open("wb") as compiled:
            write_mo(compiled, read_po(text, locale=catalogue.parts[-3]))
