"""Bar intervals as people write them: `1m`, `4h`, `1d`."""

import re

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
PATTERN = re.compile(r"([1-9][0-9]{0,3})([smhd])")


def interval_seconds(interval: str) -> int:
    """The length of a bar in seconds. A calendar month has none: such intervals are not taken.

    Raises:
        ValueError: not a number and one of s, m, h, d.
    """
    found = PATTERN.fullmatch(interval)
    if found is None:
        raise ValueError(f"expected an interval such as 1m, 4h or 1d, was {interval!r}")
    return int(found[1]) * SECONDS[found[2]]
