import pytest

from strades_pipelines.market.win_rate import wilson_interval


@pytest.mark.parametrize(
    ("won", "played", "lower", "upper"),
    [
        # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_is_the_published_one(won: int, played: int, lower: float, upper: float) -> None:
    assert wilson_interval(won, played) == pytest.approx((lower, upper), abs=5e-5)


def test_without_a_game_there_is_none() -> None:
    assert wilson_interval(0, 0) is None
