"""How sure a share of wins is, given how few there were. Pure."""

from math import sqrt

NORMAL_95 = 1.959963984540054  # the two-sided quantile of the normal distribution at 95 %


def wilson_interval(won: int, played: int, quantile: float = NORMAL_95) -> tuple[float, float] | None:
    """The interval that holds the true share of wins: Wilson's score interval, without continuity correction.

    (p + z^2/2n +- z sqrt(p (1 - p) / n + z^2/4n^2)) / (1 + z^2/n): Wilson 1927, "Probable Inference, the Law of
    Succession, and Statistical Inference", JASA 22.

    Args:
        won: of `played`, in [0, played].
        quantile: of the normal distribution; the default is 95 %.

    Returns:
        Lower and upper end, in [0, 1]; None where nothing was played.
    """
    if played <= 0:
        return None
    share, square = won / played, quantile * quantile
    centre = share + square / (2 * played)
    reach = quantile * sqrt(share * (1 - share) / played + square / (4 * played * played))
    scale = 1 + square / played
    # Rounding may take an end past 0 or 1.
    return max(0.0, (centre - reach) / scale), min(1.0, (centre + reach) / scale)
