"""The frame, and the check that every URL has a line in the table of rights."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core import checks


class CoreConfig(AppConfig):
    """Registers the check."""

    name = "dashboard.core"
    label = "core"

    def ready(self) -> None:
        """Register."""
        checks.register(check_matrix)


def check_matrix(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[checks.Error]:
    """A URL without a line in the table of rights, or a line without a URL, is an error: nothing is served with it."""
    from dashboard.access import MATRIX, url_names

    names = url_names()
    unlisted = [
        checks.Error(f"URL {name!r} is not in dashboard.access.MATRIX; say who may open it", id="dashboard.E001")
        for name in sorted(names - MATRIX.keys())
    ]
    unserved = [
        checks.Error(f"dashboard.access.MATRIX has {name!r}, which no URL has; remove it", id="dashboard.E002")
        for name in sorted(MATRIX.keys() - names)
    ]
    return unlisted + unserved
