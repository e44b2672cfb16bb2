from pathlib import Path

import pytest

from strades_pipelines.strategy import library, registry
from strades_pipelines.strategy.library.follow_prediction import FollowPrediction
from strades_pipelines.strategy.library.sma_cross import SmaCross
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
