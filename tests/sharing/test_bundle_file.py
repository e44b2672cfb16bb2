"""Bundles as bytes: the same content is the same bytes, and whatever else is refused with its reason."""

import hashlib
import io
import stat
import struct
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from strades_pipelines.sharing.author_key import FILE, AuthorKey
from strades_pipelines.sharing.bundle_file import (
    MOST_BYTES,
    Bundle,
    pack,
    read_bundle,
    read_bundle_file,
)
from strades_pipelines.sharing.manifest import BundleChanged, BundleRefused, canonical_json, read_manifest

HIDDEN = "\u061c\u00ad\u3164\u180e\u206a\ufff9\ufe0f\U000e0041\u034f\u115f\u2800\ue000\u200b\u2028"


def zipped(entries: dict[str, bytes], *, kind: int = zipfile.ZIP_STORED, mode: int = stat.S_IFREG | 0o644) -> bytes:
    """A zip with such files, by Python's own writer."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", kind) as archive:
        for name, body in entries.items():
            info = zipfile.ZipInfo(name)
            info.external_attr, info.compress_type = mode << 16, kind
            archive.writestr(info, body)
    return written.getvalue()


def entries_of(bundle: Bundle) -> dict[str, bytes]:
    """The files of a bundle by name."""
    with zipfile.ZipFile(io.BytesIO(bundle.body)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_same_content_is_the_same_bytes_and_any_unzip_reads_them(bundle: Bundle, tmp_path: Path) -> None:
    body = bundle.body
    read = read_bundle(body)
    assert read == bundle
    assert pack(read.manifest, read.signature, dict(reversed(list(read.files.items()))), read.result) == body
    (tmp_path / "hold.zip").write_bytes(body)
    assert read_bundle_file(tmp_path / "hold.zip").sha256 == hashlib.sha256(body).hexdigest()
    with zipfile.ZipFile(tmp_path / "hold.zip") as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path)
    assert (tmp_path / "code" / "helper.py").read_text() == "SIZE = 2.0\n"


def test_openssl_verifies_the_signature(bundle: Bundle, tmp_path: Path) -> None:
    entries = entries_of(bundle)
    # RFC 8410: the public key as a SubjectPublicKeyInfo.
    der = bytes.fromhex("302a300506032b6570032100" + bundle.manifest.author_key)
    for name, body in {"key.der": der, "message": entries["manifest.json"], "signature": entries["signature"]}.items():
        (tmp_path / name).write_bytes(body)
    command = "openssl pkeyutl -verify -pubin -keyform DER -inkey key.der -rawin -in message -sigfile signature"
    done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Verified Successfully" in done.stdout, done.stderr


def test_each_flipped_byte_is_seen(bundle: Bundle) -> None:
    body = bundle.body
    for at in range(0, len(body), 7):
        changed = bytearray(body)
        changed[at] ^= 1
        with pytest.raises(BundleRefused):
            read_bundle(bytes(changed))
    for at in (0, len(body) // 2, len(body) - 1):
        for other in (body[:at], body + b"x", body[:at] + b"x" + body[at:]):
            with pytest.raises(BundleRefused):
                read_bundle(other)


def test_a_changed_file_is_named_with_both_hashes(bundle: Bundle) -> None:
    changed = {**bundle.files, "code/helper.py": b"SIZE = 9.0\n"}
    with pytest.raises(BundleChanged, match=r"code/helper\.py: expected SHA-256 [0-9a-f]{64}, found [0-9a-f]{64}"):
        read_bundle(pack(bundle.manifest, bundle.signature, changed, bundle.result))
    with pytest.raises(BundleChanged, match=r"result\.json: expected SHA-256"):
        read_bundle(pack(bundle.manifest, bundle.signature, bundle.files, bundle.result + b" "))


def test_another_signature_or_key_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    other = AuthorKey.read_or_make(tmp_path)
    forged = bundle.manifest.model_copy(update={"title": "Another"})
    for manifest, signature in (
        (forged, bundle.signature),
        (bundle.manifest, other.sign(bundle.manifest.encoded())),
        (bundle.manifest, b""),
        (bundle.manifest, bundle.signature[:63]),
        (bundle.manifest.model_copy(update={"author_key": other.public}), bundle.signature),
    ):
        with pytest.raises(BundleChanged, match="signature: expected that of the author's key"):
            read_bundle(pack(manifest, signature, bundle.files, bundle.result))


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("../out.py", "'../out.py': expected code/NAME.py"),
        ("/etc/cron.py", "expected code/NAME.py"),
        ("code/../../out.py", "expected code/NAME.py"),
        ("code/./a.py", "expected code/NAME.py"),
        ("code\\..\\out.py", "expected code/NAME.py"),
        ("code/.hidden.py", "expected code/NAME.py"),
        ("code/hold.py/b.py", "expected code/NAME.py"),  # a file would stand where its folder would
        ("code/a.pth", "expected code/NAME.py"),
        ("code/a\u202eyp.py", "expected code/NAME.py"),
        ("code/deep/" * 6 + "a.py", "expected code/NAME.py"),
        ("code/", "expected a file, found something else"),
    ],
)
def test_a_path_that_leaves_its_folder_is_refused(bundle: Bundle, path: str, said: str) -> None:
    with pytest.raises(BundleRefused, match=said.replace(".", r"\.")):
        read_bundle(zipped({**entries_of(bundle), path: b"x = 1\n"}))


def test_links_bombs_and_second_files_of_a_name_are_refused(bundle: Bundle) -> None:
    entries = entries_of(bundle)
    with pytest.raises(BundleRefused, match="symbolic link"):
        read_bundle(zipped({"code/a.py": b"/etc/passwd"}, mode=stat.S_IFLNK | 0o777))
    bomb = zipped({**entries, "code/a.py": bytes(100_000_000)}, kind=zipfile.ZIP_DEFLATED)
    assert len(bomb) < MOST_BYTES
    with pytest.raises(BundleRefused, match="not compressed"):
        read_bundle(bomb)
    written = io.BytesIO(bundle.body)
    with zipfile.ZipFile(written, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("code/hold.py", b"evil = 1\n")
    with pytest.raises(BundleRefused, match="found it twice"):
        read_bundle(written.getvalue())
    with pytest.raises(BundleRefused, match="at most 67 files, found 5000"):
        read_bundle(zipped({f"code/f{k}.py": b"" for k in range(5000)}))
    with pytest.raises(BundleRefused, match=f"at most {MOST_BYTES} bytes"):
        read_bundle(bytes(MOST_BYTES + 1))
    # The number of entries is the author's word: what counts is how many there are.
    many = bytearray(zipped({f"code/f{k}.py": b"" for k in range(8000)}))
    struct.pack_into("<2H", many, len(many) - 14, 3, 3)
    with pytest.raises(BundleRefused, match="directory of at most"):
        read_bundle(bytes(many))
    few = bytearray(zipped({f"code/f{k}.py": b"" for k in range(68)}))
    struct.pack_into("<2H", few, len(few) - 14, 3, 3)
    with pytest.raises(BundleRefused, match="at most 67 files, found 68"):
        read_bundle(bytes(few))
    body = bundle.body
    with pytest.raises(BundleRefused, match="expected a zip file of 32 bits"):
        read_bundle(body[:-22] + b"PK\x06\x07" + bytes(16) + body[-22:])
    # Two entries of the directory over the same bytes: their sizes add up to more than the file.
    with pytest.raises(BundleRefused):
        read_bundle(_overlapping(bundle))


def _overlapping(bundle: Bundle) -> bytes:
    body = bundle.body
    start, entry = struct.unpack("<I", body[-6:-2])[0], body.index(b"PK\x01\x02")
    size = 46 + sum(struct.unpack("<3H", body[entry + 28 : entry + 34]))
    again = body[start : start + size]
    end = bytearray(body[-22:])
    struct.pack_into(
        "<2H2I", end, 8, 5 + len(bundle.files) - 1, 5 + len(bundle.files) - 1, len(body) - 22 - start + size, start
    )
    return body[:-22] + again + bytes(end)


def test_what_is_no_zip_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    for body in (b"", b"PK", b"PK\x03\x04" + bytes(100), b"<html>", bundle.body[:-22]):
        with pytest.raises(BundleRefused):
            read_bundle(body)
    with pytest.raises(BundleRefused, match="No such file"):
        read_bundle_file(tmp_path / "none.zip")
    with pytest.raises(BundleRefused, match="a folder"):
        read_bundle_file(tmp_path)


def test_a_manifest_says_what_it_may_and_nothing_else(bundle: Bundle) -> None:
    good = bundle.manifest.model_dump(mode="json")
    assert read_manifest(canonical_json(good)) == bundle.manifest
    code = good["code"]
    changes: tuple[dict[str, Any], ...] = (
        {"more": 1},
        {"kind": "protocol"},
        {"title": "turned \u202e round"},
        {"title": "two\nlines"},
        {"name": "../x"},
        {"version": "1"},
        {"version": "\u0661.\u0660.\u0660"},
        *({"title": f"hidden {sign}"} for sign in HIDDEN),
        {"code": {**code, "parameters": {"size": 10**400}}},
        {"result": {**good["result"], "claims": {"total_return": 10**400}}},
        {"result": {**good["result"], "claims": {"total_return": 2**63}}},
        {"terms": {**good["terms"], "cash": 10**400}},
        {"data": []},
        {"made_at": "2026-11-30T12:00:00"},
        {"code": {**code, "file": "code/other.py"}},
        {"code": {**code, "permissions": ["everything"]}},
        {"code": {**code, "files": {**code["files"], "../a.py": "0" * 64}}},
        {"code": {**code, "files": {**code["files"], **{f"code/f{k}.py": "0" * 64 for k in range(70)}}}},
        {"terms": {**good["terms"], "cash": [1.0]}},
    )
    for change in changes:
        with pytest.raises(BundleRefused, match=r"manifest\.json: "):
            read_manifest(canonical_json({**good, **change}))
    with pytest.raises(BundleRefused, match="sorted names"):
        read_manifest(canonical_json(good).replace(b'"format":1', b'"format": 1'))
    for body in (b"[" * 100_000, b"{}", b"\xff", b"null", canonical_json(good).replace(b"100000.0", b"NaN")):
        with pytest.raises(BundleRefused):
            read_manifest(body)


def test_files_that_the_manifest_does_not_name_are_refused(bundle: Bundle) -> None:
    for files, said in (
        ({**bundle.files, "code/extra.py": b""}, r"code/extra\.py: expected files that manifest\.json names"),
        ({"code/hold.py": bundle.files["code/hold.py"]}, r"code/helper\.py: expected the file"),
    ):
        with pytest.raises(BundleRefused, match=said):
            read_bundle(replace(bundle, files=files).body)


def test_the_key_is_made_once_for_its_owner_alone_and_another_file_is_refused(tmp_path: Path) -> None:
    first = AuthorKey.read_or_make(tmp_path / "home")
    assert AuthorKey.read_or_make(tmp_path / "home").public == first.public
    assert (tmp_path / "home" / FILE).stat().st_mode & 0o777 == 0o600
    (tmp_path / FILE).write_text("-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n")
    with pytest.raises(ValueError, match="expected an Ed25519 key in PEM"):
        AuthorKey.read_or_make(tmp_path)
