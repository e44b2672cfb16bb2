"""Install a bundle: its files in a folder of the home that nobody writes to. Nothing of it is run."""

import os
import shutil
import tempfile
from pathlib import Path

from strades_pipelines.analysis.tearsheet.report_layout import parse_layout
from strades_pipelines.bad_input import BadInput
from strades_pipelines.sharing.bundle_file import Bundle
from strades_pipelines.sharing.manifest import BundleRefused, LayoutManifest, ProtocolManifest
from strades_pipelines.sharing.protocol_run import protocol_of
from strades_pipelines.sharing.verification import check_permissions

FOLDER = "bundles"
BUNDLE_FILE = "bundle.zip"


def folder_of(bundle: Bundle, home: Path) -> Path:
    """Where a bundle is installed: below its author's key, so that no author takes the place of another."""
    manifest = bundle.manifest
    return home / FOLDER / manifest.fingerprint / f"{manifest.name}-{manifest.version}"


def install(bundle: Bundle, home: Path, *, world: str) -> Path:
    """Write a bundle's files, and that this world has it; the path of its main file. Again it changes nothing.

    Raises:
        BundleRefused: its code asks for other things than it says, its content is none of its kind, another bundle has
            its name and version, or it was not installed in the sandbox world before the live one.
    """
    check_permissions(bundle)
    check_content(bundle)
    target = folder_of(bundle, home)
    if not target.exists():
        if world != "sandbox":
            raise BundleRefused(f"{bundle.manifest.name}: expected it in the sandbox world first, it is not there")
        _write(bundle, target)
    if (target / BUNDLE_FILE).read_bytes() != bundle.body:
        raise BundleRefused(f"{target}: expected this bundle, found another of the same author, name and version")
    (target / f"installed-in-{world}").touch(mode=0o600)
    return target / bundle.manifest.content.file


def check_content(bundle: Bundle) -> None:
    """Refuse a bundle of data whose file is no protocol or layout.

    Raises:
        BundleRefused: it is none.
    """
    manifest = bundle.manifest
    body = bundle.files[manifest.content.file]
    try:
        if isinstance(manifest, ProtocolManifest):
            protocol_of(body)
        elif isinstance(manifest, LayoutManifest):
            parse_layout(body)
    except BadInput as error:
        raise BundleRefused(f"{manifest.content.file}: {error}") from None


def _write(bundle: Bundle, target: Path) -> None:
    """All or nothing: a folder that is there is complete."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Beside its target: a rename goes within one file system alone.
    part = Path(tempfile.mkdtemp(prefix=".part-", dir=target.parent))
    try:
        for path, content in {**bundle.files, BUNDLE_FILE: bundle.body}.items():
            (part / path).parent.mkdir(parents=True, exist_ok=True)
            (part / path).write_bytes(content)
            (part / path).chmod(0o400)
        os.rename(part, target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
