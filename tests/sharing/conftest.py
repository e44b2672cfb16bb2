"""A strategy, its bars and a bundle of them, made once for all tests of bundles."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from strades_pipelines.research.backtest_inputs import DataChoice, TermsChoice
from strades_pipelines.sharing.author_key import AuthorKey
from strades_pipelines.sharing.bundle_file import Bundle
from strades_pipelines.sharing.making import Provenance, make_bundle
from strades_pipelines.sharing.manifest import Label, Manifest
from tests.research.bars import bar_file
from tests.shut_in import require_isolation

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
LABEL = Label(name="hold", version="1.0.0", title="Holds two", licence="Apache-2.0")
HOLD = """
from helper import SIZE
from strades_pipelines.strategy.strategy import Strategy


class Hold(Strategy):
    size: float = SIZE

    def on_aggregate_bar(self, bar, account):
        account.target[bar.i] = self.size
"""


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `wave.csv` (tests/research/bars.py), `hold.py` and what that imports."""
    folder = tmp_path_factory.mktemp("shop")
    bar_file(folder)
    (folder / "hold.py").write_text(HOLD)
    (folder / "helper.py").write_text("SIZE = 2.0\n")
    return folder


@pytest.fixture(scope="session")
def key(shop: Path) -> AuthorKey:
    """An author's key."""
    return AuthorKey.read_or_make(shop / "home")


@pytest.fixture(scope="session")
def bundle(shop: Path, key: AuthorKey) -> Bundle:
    """`Hold` over the wave, bought on the second day and held."""
    return make(shop, key, "hold.py")


def make(folder: Path, key: AuthorKey, name: str, *given: str) -> Bundle:
    """A bundle of a strategy of the folder over its wave."""
    require_isolation()
    data, terms = DataChoice(files=[str(folder / "wave.csv")]), TermsChoice(fee="percent:0.1")
    return make_bundle(
        str(folder / name), given, data, terms, LABEL, key=key, at=AT, provenance=lambda _: Provenance("a test", "free")
    )


def strategy_of(bundle: Bundle) -> Manifest:
    """The manifest of a bundle of a strategy."""
    assert isinstance(bundle.manifest, Manifest)
    return bundle.manifest
