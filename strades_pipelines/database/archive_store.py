"""The archive's copy on an object store, `STRADES_ARCHIVE_STORE`: segments, histories and base backups by name.

`python -I -m strades_pipelines.database.archive_store SEGMENT FOLDER ADDRESS [KEYS]` copies an archived segment there.
PostgreSQL runs it behind `wal_segment`, and offers a segment again until both have ended well. Nothing there is ever
deleted, and no segment is overwritten: a key that may do neither is enough.
"""

import configparser
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qsl, urlsplit

from strades_pipelines.database.wal_segment import SUFFIX

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

WAL, TIMELINES, BACKUPS = "wal", "timelines", "base"
HISTORY = ".history"
CONNECT_SECONDS, REQUEST_SECONDS, ATTEMPTS = 5, 20, 3
LONGEST_COPY = 60.0  # seconds, after which PostgreSQL is told to try again


class Sink(Protocol):
    """What takes the bytes of an object."""

    def write(self, data: bytes, /) -> object:
        """Take the next bytes."""


class Source(Protocol):
    """What gives the bytes of an object."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the end."""


class StoreError(OSError):
    """The object store cannot be reached, refuses, or holds something else; one line with its address."""


@dataclass(frozen=True)
class ArchiveStore:
    """A place in an object store. Bytes go there and come back as they are: pyarrow would pack by a name's end.

    Args:
        address: `s3://bucket/path`, with `region`, `scheme` and `endpoint_override` behind a question mark.
        keys: a file as AWS's tools write it, whose section `default` is read at each start of a program; without one
            the keys are those of the machine's role or of the user's own files.
    """

    address: str
    keys: Path | None = None

    def sizes(self, folder: str) -> dict[str, int]:
        """The objects of a folder and their sizes in bytes."""
        from pyarrow.fs import FileSelector

        with self._faults(folder):
            found = self._system.get_file_info(FileSelector(self._path(folder), allow_not_found=True))
            return {each.base_name: each.size for each in found if each.is_file}

    def read(self, name: str) -> bytes | None:
        """The content of an object, None where there is none."""
        with self._faults(name):
            try:
                with self._system.open_input_stream(self._path(name), compression=None) as stream:
                    return bytes(stream.read())
            except FileNotFoundError:
                return None

    def add(self, content: bytes, name: str) -> None:
        """Write an object; an equal one there is success.

        Raises:
            FileExistsError: another one of that name is there; it is never overwritten.
            StoreError: the store did not say that it keeps it.
        """
        found = self.read(name)
        if found is None:
            with self.writing(name) as out:
                out.write(content)
            found = self.read(name)
            if found is None:
                raise StoreError(f"{self.place(name)}: it is not there after it was written")
        if found != content:
            raise FileExistsError(f"{self.place(name)}: another object of that name is there")

    @contextmanager
    def writing(self, name: str) -> Iterator["Sink"]:
        """A stream into an object, which is there once this ends, also where it ends early (pyarrow closes it)."""
        with self._faults(name), self._system.open_output_stream(self._path(name), compression=None) as out:
            yield out

    @contextmanager
    def reading(self, name: str) -> Iterator["Source"]:
        """A stream out of an object."""
        with self._faults(name), self._system.open_input_stream(self._path(name), compression=None) as stream:
            yield stream

    def place(self, name: str) -> str:
        """An object's address as a person reads it."""
        return f"{self.address.partition('?')[0].rstrip('/')}/{name}"

    def words(self) -> list[str]:
        """This store, as the program of this file is told of it."""
        return [self.address, *([] if self.keys is None else [str(self.keys)])]

    @cached_property
    def _system(self) -> "FileSystem":
        from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

        return S3FileSystem(
            **dict(parse_qsl(urlsplit(self.address).query)),
            **({} if self.keys is None else _read_keys(self.keys)),
            connect_timeout=CONNECT_SECONDS,
            request_timeout=REQUEST_SECONDS,
            retry_strategy=AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
            allow_delayed_open=True,  # a small object is one request
        )

    def _path(self, name: str) -> str:
        parts = urlsplit(self.address)
        return f"{parts.netloc}{parts.path.rstrip('/')}/{name}"

    @contextmanager
    def _faults(self, name: str) -> Iterator[None]:
        """Errors of the store as one line; pyarrow raises bare OSErrors."""
        try:
            yield
        except (StoreError, FileNotFoundError):
            raise
        except OSError as error:
            raise StoreError(f"{self.place(name)}: {' '.join(str(error).split())}") from None


def _read_keys(file: Path) -> dict[str, str]:
    """The keys of a credentials file; no error shows a part of it."""
    found = configparser.ConfigParser(interpolation=None)
    try:
        with file.open(encoding="utf-8") as lines:
            found.read_file(lines)
        section = found["default"]
        keys = {"access_key": section["aws_access_key_id"], "secret_key": section["aws_secret_access_key"]}
    except OSError as error:
        raise StoreError(f"{file}: expected a readable file of keys, was: {error.strerror}") from None
    except (configparser.Error, KeyError, UnicodeDecodeError):
        raise StoreError(f"{file}: expected [default] with aws_access_key_id and aws_secret_access_key") from None
    token = section.get("aws_session_token")
    return keys if token is None else {**keys, "session_token": token}


def object_name(file: str) -> str:
    """The object of an archived file. Histories are apart: a rule that lets old segments expire must not reach them."""
    return f"{TIMELINES if HISTORY in file else WAL}/{file}"


def main(arguments: Sequence[str]) -> None:
    """Copy one segment; exit code 1 where it is not known to be kept, with one line for PostgreSQL's log.

    The history of its timeline goes first: without it nobody finds the segments of a server that took over.
    """
    if len(arguments) not in (3, 4):
        sys.exit("archive_store: expected SEGMENT FOLDER ADDRESS [KEYS]")
    name, folder, address, *keys = arguments
    timer = threading.Timer(LONGEST_COPY, _give_up, [name])
    timer.daemon = True  # it ends the process from beside pyarrow, which no signal handler of Python interrupts
    timer.start()
    store = ArchiveStore(address, Path(keys[0]) if keys else None)
    try:
        for file in (*sorted(Path(folder).glob(f"{name[:8]}{HISTORY}{SUFFIX}*")), Path(folder) / (name + SUFFIX)):
            if not file.name.endswith(".part"):
                store.add(file.read_bytes(), object_name(file.name))
    except OSError as error:
        sys.exit(f"archive_store: {error}")


def _give_up(name: str) -> None:
    print(f"archive_store: {name}: the store did not answer for {LONGEST_COPY:.0f} s", file=sys.stderr, flush=True)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
