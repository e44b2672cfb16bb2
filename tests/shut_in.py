"""Whether this machine can shut a process in, as tests that run code of others need."""

import pytest

from strades_pipelines.system.isolation import IsolationUnavailable, check_available


def require_isolation() -> None:
    """Skip the test where the kernel cannot shut a process in: nobody can install that."""
    try:
        check_available()
    except IsolationUnavailable as error:
        pytest.skip(f"code of others cannot be shut in here: {error}")


@pytest.fixture
def shut_in() -> None:
    """For tests that shut a process in."""
    require_isolation()
