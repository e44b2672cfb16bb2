"""The archive of the embedded server: finished WAL segments in `wal/`, base backups in `base/`.

The server gets its options on the command line, so that a folder of data that is moved takes none of them along.
"""

import os
import shlex
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from strades_pipelines.database import wal_segment

# A segment that is not full is closed after so long: what a loss of the machine may cost.
ARCHIVE_TIMEOUT = timedelta(minutes=5)


def archive_options(archive: Path) -> list[str]:
    """The server's options for archiving, and for the WAL summaries that incremental backups need."""
    command = _command("archive", "%p", segments(archive))
    return [
        *("-c", "archive_mode=on"),
        *("-c", f"archive_command={command}"),
        *("-c", f"archive_timeout={ARCHIVE_TIMEOUT.total_seconds():.0f}"),
        *("-c", "summarize_wal=on"),
    ]


def recovery_options(archive: Path, at: datetime | None, timeline: int) -> list[str]:
    """The server's options for recovery up to `at` (aware), or to a timeline's end, and for work after it."""
    target = [] if at is None else ["-c", f"recovery_target_time={at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f+00}"]
    command = _command("restore", "%f", "%p", segments(archive))
    options = [f"restore_command={command}", "recovery_target_action=promote", f"recovery_target_timeline={timeline}"]
    return [word for option in options for word in ("-c", option)] + target


def segments(archive: Path) -> Path:
    """Where the WAL segments are."""
    return archive / "wal"


def archived_at(history: Path) -> datetime:
    """When (UTC) an archived history was written: as the file beside it says, and without one its own time.

    An object store gives files a new time.
    """
    note = time_note(history)
    if note.exists():
        return datetime.fromisoformat(note.read_text().strip())
    return datetime.fromtimestamp(history.stat().st_mtime, UTC)


def time_note(history: Path) -> Path:
    """The file that keeps the time of an archived history."""
    return history.with_name(history.name + ".time")


def base_backups(archive: Path) -> Path:
    """Where the base backups are."""
    return archive / "base"


def make_archive(archive: Path, data: Path, note: Path) -> Path | None:
    """Make the archive's folders, for the owner of the server's data alone, and archive its timelines' histories.

    With its history a timeline's number is taken: whoever recovers next takes another. A recovered server archives
    nothing until it takes over, so a drill takes none.

    Args:
        note: a file of the server, which names the archives that it works with. Where such a one is gone, its disk is
            not mounted: another in its place would fill the system's.

    Returns:
        The archived history of another server that took over with a timeline of the same number, if there is one.

    Raises:
        OSError: it cannot be reached.
    """
    known = note.read_text().splitlines() if note.exists() else []
    if not segments(archive).is_dir() and str(archive) in known:
        raise FileNotFoundError(f"{archive} is gone: is its disk mounted? For a new archive remove {note}")
    owner = data.stat()
    for folder in (archive, segments(archive), base_backups(archive)):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.geteuid() == 0:
            os.chown(folder, owner.st_uid, owner.st_gid)
    histories = sorted((data / "pg_wal").glob("*.history"))
    for history in histories:
        copy = segments(archive) / (history.name + wal_segment.SUFFIX)
        # Two recoveries to one moment write the same history: a server's newest is its own where it archived it itself.
        if history == histories[-1] and str(archive) not in known and copy.exists():
            return copy
        try:
            wal_segment.archive(history, segments(archive))
        except FileExistsError:
            return copy
        note_of_time = time_note(copy)
        if not note_of_time.exists():
            part = note_of_time.with_name(note_of_time.name + ".part")
            part.write_text(archived_at(copy).isoformat() + "\n")
            part.rename(note_of_time)
        if os.geteuid() == 0:
            for made in (copy, note_of_time):
                os.chown(made, owner.st_uid, owner.st_gid)
    # Last: what is named here has its folders.
    if str(archive) not in known:
        note.write_text("\n".join([*known, str(archive)]))
    return None


def _command(*words: str | Path) -> str:
    """A command as PostgreSQL's shell reads it; in our words, a percent sign stands for itself."""
    placeholders = ("%p", "%f")
    program = [sys.executable, "-I", str(Path(wal_segment.__file__)), *words]
    return " ".join(
        str(word) if word in placeholders else shlex.quote(str(word)).replace("%", "%%") for word in program
    )
