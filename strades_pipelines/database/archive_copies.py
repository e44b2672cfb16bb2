"""Bring the archive's copy in the object store up to date, and a folder back from it.

A base backup is one object, a compressed tar, and a small one beside it that names its size and SHA-256. The small one
is written last: without it there is no backup, whatever a kill or an error has left of the large one.
"""

import hashlib
import json
import os
import shutil
import tarfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, cast

import zstandard

from strades_pipelines.database.archive_store import (
    BACKUPS,
    HISTORY,
    TIMELINES,
    WAL,
    ArchiveStore,
    Sink,
    Source,
    StoreError,
    object_name,
)
from strades_pipelines.database.backup import BackupError, BackupFailed, Progress
from strades_pipelines.database.backup_chains import chains, chains_of, first_segment, taken_at
from strades_pipelines.database.server_programs import UNPRIVILEGED
from strades_pipelines.database.wal_archive import base_backups, segments
from strades_pipelines.database.wal_segment import SUFFIX

TAR, NOTE = ".tar.zst", ".json"
DOWNLOADS = 8  # at a time
BLOCK = 2**20


def copy_to_store(archive: Path, store: ArchiveStore, *, progress: Progress) -> None:
    """Add what the store lacks: histories, segments of before it was named, and base backups.

    Raises:
        BackupFailed: the archive is whole, and the store is not: it cannot be reached, or is another server's.
    """
    try:
        _add_wal(archive, store)
        known = store.sizes(BACKUPS)
        for folder in (each for chain in chains(archive) for each in chain):
            if folder.name + NOTE not in known:
                progress(f"copying {folder.name} to the object store")
                _add_backup(folder, store)
    except OSError as error:
        raise BackupFailed(f"the archive is whole, its copy is not: {error}") from None


def fetch_from_store(store: ArchiveStore, archive: Path, at: datetime | None, *, progress: Progress) -> None:
    """Write what a recovery of a moment needs, and the folder lacks; a file that is there is left as it is.

    Args:
        at: aware; None for the newest that the store holds.

    Raises:
        BackupError: the store has no base backup of before that moment.
        BackupFailed: it cannot be reached, or a base backup is damaged.
    """
    owner = archive.stat().st_uid if archive.exists() else UNPRIVILEGED
    for folder in (archive, segments(archive), base_backups(archive)):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        histories = store.sizes(TIMELINES)
        _download(store, histories, segments(archive))
        taken = chains_of(Path(name.removesuffix(NOTE)) for name in store.sizes(BACKUPS) if name.endswith(NOTE))
        # Which chain leads to a moment of a later timeline is only known by what stands in the backups.
        wanted = [each for chain in taken for each in chain] if histories else _chain_before(taken, at, store)
        for name in (each.name for each in wanted):
            if not (base_backups(archive) / name).is_dir():
                progress(f"fetching {name}")
                _fetch_backup(name, store, base_backups(archive))
        progress("fetching WAL")
        first = first_segment(chains(archive))
        needed = [name for name in store.sizes(WAL) if name[8:24] >= first[8:]]
        _download(store, needed, segments(archive))
    except OSError as error:
        raise BackupFailed(f"{store.place('')}: {error}") from None
    if os.geteuid() == 0:
        for path in (archive, *archive.rglob("*")):
            os.chown(path, owner, owner, follow_symlinks=False)


def _add_wal(archive: Path, store: ArchiveStore) -> None:
    known = store.sizes(WAL)
    for file in sorted(segments(archive).iterdir()):
        if HISTORY in file.name:
            if not file.name.endswith(".part"):
                store.add(file.read_bytes(), object_name(file.name))
        elif file.name.endswith(SUFFIX) and known.get(file.name) != file.stat().st_size:
            store.add(file.read_bytes(), object_name(file.name))


def _add_backup(folder: Path, store: ArchiveStore) -> None:
    name = f"{BACKUPS}/{folder.name}"
    with store.writing(name + TAR) as out:
        hashed = _HashedSink(out)
        compressor = zstandard.ZstdCompressor(level=3, write_checksum=True)
        with (
            compressor.stream_writer(cast("IO[bytes]", hashed), closefd=False) as packed,
            tarfile.open(mode="w|", fileobj=packed) as tar,
        ):
            tar.add(folder, arcname=folder.name)
    found = store.sizes(BACKUPS).get(folder.name + TAR)
    if found != hashed.size:
        raise StoreError(f"{store.place(name + TAR)}: expected {hashed.size} bytes, was {found}")
    store.add(json.dumps({"size": hashed.size, "sha256": hashed.digest.hexdigest()}).encode(), name + NOTE)


def _fetch_backup(name: str, store: ArchiveStore, folder: Path) -> None:
    """Unpack a base backup beside its place, compare it with what was written, and give it its name."""
    said = json.loads(store.read(f"{BACKUPS}/{name}{NOTE}") or b"{}")
    part = folder / f"{name}.part"
    shutil.rmtree(part, ignore_errors=True)
    with store.reading(f"{BACKUPS}/{name}{TAR}") as source:
        hashed = _HashedSource(source)
        try:
            with (
                zstandard.ZstdDecompressor().stream_reader(cast("IO[bytes]", hashed), closefd=False) as packed,
                tarfile.open(mode="r|", fileobj=packed) as tar,
            ):
                for member in tar:
                    _unpack(member, tar, part)
            fault = ""
        except (tarfile.TarError, zstandard.ZstdError, EOFError) as error:
            fault = f" ({error})"
        while hashed.read(BLOCK):
            pass
    if fault or {"size": hashed.size, "sha256": hashed.digest.hexdigest()} != said:
        shutil.rmtree(part, ignore_errors=True)
        place = store.place(f"{BACKUPS}/{name}{TAR}")
        raise BackupFailed(f"{place} is damaged: expected {said}, was {hashed.size} bytes of other content{fault}")
    (part / name).rename(folder / name)
    part.rmdir()


def _unpack(member: tarfile.TarInfo, tar: tarfile.TarFile, folder: Path) -> None:
    """Write a folder or file for its owner alone, as PostgreSQL wants them.

    Not by `extractall`, which below Python 3.11.4 has no filter against what leads out of the folder.
    """
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or not (member.isdir() or member.isreg()):
        raise tarfile.TarError(f"expected files and folders of a backup, was {member.name!r}")
    if member.isdir():
        (folder / path).mkdir(mode=0o700, parents=True)
        return
    content = tar.extractfile(member)
    assert content is not None
    with content, (folder / path).open("xb") as file:
        shutil.copyfileobj(content, file, BLOCK)
    (folder / path).chmod(0o600)


def _chain_before(taken: list[list[Path]], at: datetime | None, store: ArchiveStore) -> list[Path]:
    usable = [before for chain in taken if (before := [each for each in chain if at is None or taken_at(each) <= at])]
    if not usable:
        oldest = f"{taken_at(taken[0][0]):%Y-%m-%dT%H:%M:%SZ}" if taken else "never: `strades db base-backup`"
        raise BackupError(
            f"{store.place(BACKUPS)}: expected a base backup of before that moment, was none; the oldest is of {oldest}"
        )
    return usable[-1]


def _download(store: ArchiveStore, names: Iterable[str], folder: Path) -> None:
    def fetch(name: str) -> None:
        content = store.read(object_name(name))
        if content is None:
            raise StoreError(f"{store.place(object_name(name))}: it was listed, and is not there")
        part = folder / f"{name}.part"
        part.write_bytes(content)
        part.rename(folder / name)

    missing = [name for name in names if not (folder / name).exists()]
    with ThreadPoolExecutor(DOWNLOADS) as pool:
        for _ in pool.map(fetch, missing):
            pass


class _HashedSink:
    """Counts and hashes what passes into a stream."""

    def __init__(self, out: Sink) -> None:
        self.size, self.digest, self._out = 0, hashlib.sha256(), out

    def write(self, data: bytes) -> int:
        self.size += len(data)
        self.digest.update(data)
        self._out.write(data)
        return len(data)


class _HashedSource:
    """Counts and hashes what is read out of a stream."""

    def __init__(self, source: Source) -> None:
        self.size, self.digest, self._source = 0, hashlib.sha256(), source

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(BLOCK if size < 0 else size)
        self.size += len(data)
        self.digest.update(data)
        return data
