"""How long tests wait for what another thread or process does."""

import time
from collections.abc import Callable
from typing import Any

# Seconds for what takes a fraction of one on an idle machine; with ten processes to a core it was seen to take nine.
# Less than the minute that children sleep which only a signal should end: one that ends by itself is too late.
MOMENT = 30.0


def wait_until(condition: Callable[[], Any], seconds: float = MOMENT) -> Any:
    """What `condition` returns, as soon as that is true; a failure of the test when it is not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        time.sleep(0.02)
    return found
