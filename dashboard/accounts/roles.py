"""The four roles. Each includes those before it, except that an admin does not trade; he may halt what trades."""

from enum import StrEnum


class Role(StrEnum):
    """What an account may do, as it stands in `user_logging_info`."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    TRADER = "trader"
    ADMIN = "admin"


class Right(StrEnum):
    """What several roles may do of which none includes the other."""

    HALT = "halt"
    RESUME = "resume"
    LIVE = "live"


INCLUDES: dict[Role, frozenset[Role]] = {
    Role.VIEWER: frozenset({Role.VIEWER}),
    Role.ANALYST: frozenset({Role.VIEWER, Role.ANALYST}),
    Role.TRADER: frozenset({Role.VIEWER, Role.ANALYST, Role.TRADER}),
    Role.ADMIN: frozenset({Role.VIEWER, Role.ANALYST, Role.ADMIN}),
}
HOLDERS: dict[Right, frozenset[Role]] = {
    Right.HALT: frozenset({Role.TRADER, Role.ADMIN}),
    Right.RESUME: frozenset({Role.TRADER, Role.ADMIN}),
    Right.LIVE: frozenset({Role.TRADER, Role.ADMIN}),
}
# Who can move money or accounts proves it with something that cannot be read over a shoulder. A halt waits for nothing.
NEEDS_SECOND_FACTOR: frozenset[Role | Right] = frozenset({Role.TRADER, Role.ADMIN, Right.RESUME, Right.LIVE})


def holders(needed: Role | Right) -> list[Role]:
    """The roles that have a right, or the rights of a role."""
    if isinstance(needed, Right):
        return [role for role in Role if role in HOLDERS[needed]]
    return [role for role in Role if needed in INCLUDES[role]]
