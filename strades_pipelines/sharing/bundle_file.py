"""A bundle as bytes: a zip whose every byte follows from its manifest, signature and files.

Nothing is compressed and every field of the archive is fixed, so that the same content is the same bytes on each
machine, and what is not exactly those bytes is refused: a second entry of one name, a link, a gap with other bytes.
"""

import hashlib
import io
import stat
import struct
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from strades_pipelines.sharing.bundle_paths import CODE_FOLDER, CONTENT_FOLDER, is_bundle_path
from strades_pipelines.sharing.manifest import (
    MOST_FILES,
    RESULT_FILE,
    AnyManifest,
    BundleChanged,
    BundleRefused,
    read_manifest,
)
from strades_pipelines.system.regular_files import read_regular

MOST_BYTES = 8 * 2**20  # of a bundle; nothing in it is compressed, so nothing in it is larger
MANIFEST_FILE, SIGNATURE_FILE = "manifest.json", "signature"
SIGNATURE_BYTES = 64
_MOST_ENTRIES = MOST_FILES + 3
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time that a zip can say
_MODE = (stat.S_IFREG | 0o644) << 16
_END = struct.Struct("<4s4H2LH")  # the record that ends a zip
_LOCATOR_BYTES = 20  # of the record before it, in a zip of 64 bits
_LONGEST_ENTRY = 46 + 400  # of the directory: its fields and a path


@dataclass(frozen=True)
class Bundle:
    """A bundle that is as its author signed it.

    Attributes:
        files: the code or the content by its path, `code/...` or `content/...`.
        result: the bytes of `result.json`.
        sha256: of the bytes of the whole bundle.
    """

    manifest: AnyManifest
    signature: bytes
    files: Mapping[str, bytes]
    result: bytes

    @property
    def body(self) -> bytes:
        """The bytes of the bundle."""
        return pack(self.manifest, self.signature, self.files, self.result)

    @property
    def sha256(self) -> str:
        """The hash of those bytes."""
        return hashlib.sha256(self.body).hexdigest()


def pack(manifest: AnyManifest, signature: bytes, files: Mapping[str, bytes], result: bytes) -> bytes:
    """The bytes of a bundle.

    Raises:
        BundleRefused: it is too large.
    """
    entries = {MANIFEST_FILE: manifest.encoded(), SIGNATURE_FILE: signature, RESULT_FILE: result}
    entries |= {path: files[path] for path in sorted(files)}
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        for name, body in entries.items():
            info = zipfile.ZipInfo(name, _EPOCH)
            # As Unix writes them, on every machine: these fields are among the bytes that are compared.
            info.create_system, info.external_attr = 3, _MODE
            archive.writestr(info, body)
    if written.tell() > MOST_BYTES:
        raise BundleRefused(f"expected a bundle of at most {MOST_BYTES} bytes, was one of {written.tell()}")
    return written.getvalue()


def read_bundle(body: bytes) -> Bundle:
    """The bundle of its bytes, once everything in it is what its author signed.

    Raises:
        BundleChanged: bytes are not those that were signed; BundleRefused: it is no bundle. With the first fault.
    """
    entries = _entries(body)
    missing = [name for name in (MANIFEST_FILE, SIGNATURE_FILE, RESULT_FILE) if name not in entries]
    if missing:
        raise BundleRefused(f"expected {missing[0]} in the bundle, found none")
    manifest, signature, result = read_manifest(entries[MANIFEST_FILE]), entries[SIGNATURE_FILE], entries[RESULT_FILE]
    check_signature(manifest.author_key, signature, entries[MANIFEST_FILE])
    files = {name: content for name, content in entries.items() if name.startswith((CODE_FOLDER, CONTENT_FOLDER))}
    _check_hashes(manifest, files, result)
    if pack(manifest, signature, files, result) != body:
        raise BundleChanged("expected the bytes that `strades bundle make` writes, found others between or around them")
    return Bundle(manifest, signature, files, result)


def read_bundle_file(path: Path) -> Bundle:
    """The bundle of a file.

    Raises:
        BundleRefused: as `read_bundle` does, or the file cannot be read.
    """
    body = read_bytes(path)
    try:
        return read_bundle(body)
    except BundleRefused as error:
        raise type(error)(f"{path}: {error}") from None


def read_bytes(path: Path) -> bytes:
    """The bytes of a file that may be a bundle.

    Raises:
        BundleRefused: it cannot be read, or is too large.
    """
    try:
        return read_regular(path, most_bytes=MOST_BYTES)
    except OSError as error:
        raise BundleRefused(f"{path}: expected a bundle that can be read, found {error.strerror}") from None


def check_signature(public_key: str, signature: bytes, signed: bytes) -> None:
    """Refuse a signature that is not of this key over these bytes.

    Raises:
        BundleRefused: it is not.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        if len(signature) != SIGNATURE_BYTES:
            raise InvalidSignature
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(signature, signed)
    except (InvalidSignature, ValueError):
        raise BundleChanged(
            "signature: expected that of the author's key over manifest.json, found another: it was changed"
        ) from None


def _check_hashes(manifest: AnyManifest, files: Mapping[str, bytes], result: bytes) -> None:
    if surplus := files.keys() - manifest.content.files.keys():
        raise BundleRefused(f"{min(surplus)}: expected files that manifest.json names, found one more")
    if missing := manifest.content.files.keys() - files.keys():
        raise BundleRefused(f"{min(missing)}: expected the file that manifest.json names, found none")
    declared = {**manifest.content.files, RESULT_FILE: manifest.result.sha256}
    for path, content in {**files, RESULT_FILE: result}.items():
        found = hashlib.sha256(content).hexdigest()
        if found != declared[path]:
            raise BundleChanged(f"{path}: expected SHA-256 {declared[path]}, found {found}: it was changed")


def _entries(body: bytes) -> dict[str, bytes]:
    """The files of an archive by name; its directory is looked at before any of them is read."""
    if len(body) > MOST_BYTES:
        raise BundleRefused(f"expected a bundle of at most {MOST_BYTES} bytes, was one of {len(body)}")
    _check_count(body)
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            infos = archive.infolist()
            if len(infos) > _MOST_ENTRIES:
                raise BundleRefused(f"expected at most {_MOST_ENTRIES} files, found {len(infos)}")
            times = Counter(info.filename for info in infos)
            for info in infos:
                _check_entry(info, times[info.filename])
            if sum(info.file_size for info in infos) > MOST_BYTES:
                raise BundleRefused(f"expected files of at most {MOST_BYTES} bytes together, found more")
            return {info.filename: _read(archive, info) for info in infos}
    except zipfile.BadZipFile as error:
        raise BundleChanged(f"expected a zip file that is whole, found another: {error}") from None
    except (EOFError, NotImplementedError, RuntimeError, ValueError, struct.error) as error:
        # A refusal is a ValueError too.
        if isinstance(error, BundleRefused):
            raise
        raise BundleRefused(f"expected a zip file, found one that cannot be read: {error}") from None


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    try:
        return archive.read(info)
    except zipfile.BadZipFile:  # its checksum is another
        raise BundleChanged(f"{info.filename[:80]}: expected the bytes that were signed, found others") from None


def _check_count(body: bytes) -> None:
    """Refuse a directory of very many entries before Python makes an object of each, and one that is behind others."""
    if len(body) < _END.size or not body.startswith(b"PK\x03\x04"):
        raise BundleRefused("expected a zip file, found other bytes")
    mark, _, _, _, count, size, _, _ = _END.unpack(body[-_END.size :])
    if mark != b"PK\x05\x06":
        raise BundleRefused("expected a zip file that ends with its directory, found other bytes or a comment")
    if body[-_END.size - _LOCATOR_BYTES :].startswith(b"PK\x06\x07"):  # it would give another directory
        raise BundleRefused("expected a zip file of 32 bits, found one of 64")
    if count > _MOST_ENTRIES:
        raise BundleRefused(f"expected at most {_MOST_ENTRIES} files, found {count}")
    if size > _MOST_ENTRIES * _LONGEST_ENTRY:  # the count is its author's word, the size is what Python reads
        raise BundleRefused(f"expected a directory of at most {_MOST_ENTRIES * _LONGEST_ENTRY} bytes, was {size}")


def _check_entry(info: zipfile.ZipInfo, times: int) -> None:
    name = info.filename[:80]
    if times > 1:
        raise BundleRefused(f"{name}: expected each file once, found it twice")
    mode = info.external_attr >> 16
    if stat.S_ISLNK(mode):
        raise BundleRefused(f"{name}: expected a file, found a symbolic link")
    if info.is_dir() or not stat.S_ISREG(mode):
        raise BundleRefused(f"{name}: expected a file, found something else")
    if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
        raise BundleRefused(f"{name}: expected bytes that are not compressed, found compressed ones")
    if info.filename not in (MANIFEST_FILE, SIGNATURE_FILE, RESULT_FILE) and not is_bundle_path(info.filename):
        raise BundleRefused(f"{name!r}: expected code/NAME.py or content/NAME.json, found a path that is not")
