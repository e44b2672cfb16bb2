"""The four roles. Each includes those before it, except that an admin does not trade."""

from enum import StrEnum


class Role(StrEnum):
    """What an account may do, as it stands in `user_logging_info`."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    TRADER = "trader"
    ADMIN = "admin"


INCLUDES: dict[Role, frozenset[Role]] = {
    Role.VIEWER: frozenset({Role.VIEWER}),
    Role.ANALYST: frozenset({Role.VIEWER, Role.ANALYST}),
    Role.TRADER: frozenset({Role.VIEWER, Role.ANALYST, Role.TRADER}),
    Role.ADMIN: frozenset({Role.VIEWER, Role.ANALYST, Role.ADMIN}),
}
# Who can move money or accounts proves it with something that cannot be read over a shoulder.
NEEDS_SECOND_FACTOR = frozenset({Role.TRADER, Role.ADMIN})
