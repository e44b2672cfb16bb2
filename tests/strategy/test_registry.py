from pathlib import Path

import pytest

from strades_pipelines.strategy import library, registry
from strades_pipelines.strategy.library.follow_prediction import FollowPrediction
from strades_pipelines.strategy.library.sma_cross import SmaCross
from strades_pipelines.strategy.strategy_files import load_strategy
from tests.strategy.edited_code import edited_package


def test_the_library_is_known_by_name() -> None:
    files = {path.stem for path in Path(library.__path__[0]).glob("*.py")} - {"__init__"}
    assert set(registry.strategies()) == files
    assert registry.strategies()["sma_cross"] is SmaCross
    assert registry.strategies()["follow_prediction"] is FollowPrediction


def test_a_strategy_is_made_with_its_parameters() -> None:
    made = registry.create("sma_cross", {"fast": 3})
    assert isinstance(made, SmaCross)
    assert made.fast == 3


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected one of .*adx_trend, .*z_score_reversion.*, was 'sma'"):
        registry.create("sma", {})


def test_the_code_hash_follows_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = registry.code_hash(SmaCross())
    assert before == registry.code_hash(SmaCross(fast=5))
    assert before != registry.code_hash(FollowPrediction())
    monkeypatch.setattr(registry, "PACKAGE", edited_package(tmp_path))
    assert before != registry.code_hash(SmaCross())


LIBRARY_USED = {"follow_prediction.py", "sma_cross.py"}  # by this file


class Variant(SmaCross):
    """A user's strategy over one of the library's."""


def test_the_code_hash_covers_the_bases_of_a_strategy_and_what_it_imports(tmp_path: Path) -> None:
    assert {file.name for file in registry.own_sources(Variant)} == {*LIBRARY_USED, Path(__file__).name}
    user = tmp_path / "mine.py"
    user.write_text(
        "import decimal, size_of_it\nfrom strades_pipelines.strategy.library import ema_cross, sma_cross\n"
        "class Mine(sma_cross.SmaCross):\n    pass\n"
    )
    hashes, names = set(), {"mine.py", "size_of_it.py", "ema_cross.py", "sma_cross.py"}
    for size in ("1", "2"):
        (tmp_path / "size_of_it.py").write_text(f"SIZE = {size}\n")
        mine = load_strategy(f"{user}:Mine", fresh=True)
        assert {file.name for file in registry.own_sources(mine)} == names
        hashes.add(registry.code_hash(mine()))
    assert len(hashes) == 2


def test_a_file_that_does_not_import_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_done.py").write_text("def on_bar(:\n")
    monkeypatch.setattr(library, "__path__", [*library.__path__, str(tmp_path)])
    forget_the_library()
    try:
        with pytest.raises(
            ValueError, match=r"^strategy: half_done.py does not import: SyntaxError: [^\n]*line 1[^\n]*$"
        ):
            registry.create("half_done", {})
        assert isinstance(registry.create("sma_cross", {}), SmaCross)
    finally:
        forget_the_library()


def forget_the_library() -> None:
    """Have its folder read again, as in a new process."""
    registry._library.cache_clear()
    registry.strategies.cache_clear()
