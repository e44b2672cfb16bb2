"""Base backups by their names: chains of a full one and its increments, and which of them nobody needs any more.

A backup's folder is named by when it was finished (UTC, rounded up), from which moment on it can be recovered.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from strades_pipelines.database.wal_archive import base_backups

KEPT_FOR = timedelta(days=7)  # how far back one can always go
NAME = "%Y%m%dT%H%M%SZ"
FULL, INCREMENT = "-full", "-increment"


def chains(archive: Path) -> list[list[Path]]:
    """The base backups of an archive, see `chains_of`."""
    return chains_of(base_backups(archive).glob("*"))


def chains_of(folders: Iterable[Path]) -> list[list[Path]]:
    """Base backups by their names, oldest first; each full one with the increments that build on it."""
    named = sorted(folders)
    full = [folder for folder in named if folder.name.endswith(FULL)]
    found: list[list[Path]] = []
    for folder in full + [folder for folder in named if folder.name.endswith(INCREMENT)]:
        if folder.name.endswith(FULL):
            found.append([folder])
        elif own := [chain for chain in found if chain[0].name < folder.name]:
            own[-1].append(folder)
    return found


def taken_at(folder: Path) -> datetime:
    """From when on (UTC) a base backup can be recovered."""
    return datetime.strptime(folder.name.partition("-")[0], NAME).replace(tzinfo=UTC)


def superseded(found: Sequence[list[Path]], *, now: datetime, switched: datetime | None) -> Sequence[list[Path]]:
    """The oldest chains, without which every moment of the last `KEPT_FOR` can still be recovered.

    Args:
        found: chains, oldest first.
        switched: when the newest timeline was taken over. A chain of before that may have been taken behind the moment
            that was recovered: it leads to none of the new timeline.
    """
    begun = [taken_at(chain[0]) for chain in found]
    reaching = [
        index for index, time in enumerate(begun) if time <= now - KEPT_FOR and (switched is None or time > switched)
    ]
    return found[: reaching[-1]] if reaching else []


def first_segment(kept: Sequence[Sequence[Path]]) -> str:
    """The WAL segment before which some chains need none.

    pg_archivecleanup looks at no timeline, and a new one begins at lower numbers than the one it left had come to.
    """
    labels = [(folder / "backup_label").read_text() for chain in kept for folder in chain]
    return min((label.partition("(file ")[2].partition(")")[0] for label in labels), key=lambda name: name[8:])
