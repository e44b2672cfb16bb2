"""Installing a bundle: below its author's key, once, and in the sandbox world before the live one."""

from dataclasses import replace
from pathlib import Path

import pytest

from strades_pipelines.sharing.author_key import AuthorKey
from strades_pipelines.sharing.bundle_file import Bundle, read_bundle_file
from strades_pipelines.sharing.installing import BUNDLE_FILE, folder_of, install
from strades_pipelines.sharing.manifest import BundleRefused
from tests.sharing.conftest import strategy_of


def test_the_live_world_takes_what_the_sandbox_has(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(BundleRefused, match="in the sandbox world first"):
        install(bundle, tmp_path, world="live")
    assert list(tmp_path.iterdir()) == []
    code = install(bundle, tmp_path, world="sandbox")
    assert install(bundle, tmp_path, world="live") == code
    folder = folder_of(bundle, tmp_path)
    assert sorted(path.name for path in folder.glob("installed-in-*")) == ["installed-in-live", "installed-in-sandbox"]
    assert read_bundle_file(folder / BUNDLE_FILE) == bundle
    assert (code.read_bytes(), code.name) == (bundle.files["code/hold.py"], "hold.py")


def test_another_author_has_another_place_and_the_same_one_no_second_bundle_of_a_version(
    bundle: Bundle, tmp_path: Path
) -> None:
    install(bundle, tmp_path / "home", world="sandbox")
    other = AuthorKey.read_or_make(tmp_path / "other")
    theirs = bundle.manifest.model_copy(update={"author_key": other.public})
    copied = replace(bundle, manifest=theirs, signature=other.sign(theirs.encoded()))
    assert install(copied, tmp_path / "home", world="sandbox") != install(bundle, tmp_path / "home", world="sandbox")
    titled = bundle.manifest.model_copy(update={"title": "Another"})
    with pytest.raises(BundleRefused, match="expected this bundle, found another"):
        install(replace(bundle, manifest=titled), tmp_path / "home", world="sandbox")


def test_a_bundle_whose_code_asks_for_more_is_not_installed(bundle: Bundle, tmp_path: Path) -> None:
    code = strategy_of(bundle).code.model_copy(update={"permissions": ()})
    with pytest.raises(BundleRefused, match="which the code asks for"):
        install(replace(bundle, manifest=bundle.manifest.model_copy(update={"code": code})), tmp_path, world="sandbox")
