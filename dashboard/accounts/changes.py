"""What was done to an account, as a row that stays, written in the transaction of the change."""

from ipaddress import ip_address
from typing import Any

from allauth.core import context
from django.db import connection
from django.http import HttpRequest

from dashboard.accounts.models import AccountChange, User

# Of `Authenticator.type`.
FACTORS = {"totp": "authenticator app", "webauthn": "passkey", "recovery_codes": "recovery codes"}
# Up to all that made an account, then down to all that these made. UNION ends circles: two admins may change each
# other.
RELATED = """
    WITH RECURSIVE made_by AS MATERIALIZED (
        SELECT created_by_id AS maker, used_by_id AS made FROM invitations WHERE used_by_id IS NOT NULL
        UNION
        SELECT m."UserID", c.person_id
        FROM audit.account_changes AS c INNER JOIN user_logging_info AS m ON m."Pseudo" = c.changed_by
        WHERE c.person_id <> m."UserID"
    ), makers AS (
        SELECT "UserID" AS id FROM user_logging_info WHERE "Pseudo" = %s
        UNION
        SELECT b.maker FROM made_by AS b INNER JOIN makers AS m ON m.id = b.made
    ), related AS (
        SELECT id FROM makers
        UNION
        SELECT b.made FROM made_by AS b INNER JOIN related AS r ON r.id = b.maker
    )
    SELECT u."Pseudo" FROM related AS r INNER JOIN user_logging_info AS u ON u."UserID" = r.id
"""


def record_change(person: Any, what: str, *, by: str = "", request: HttpRequest | None = None) -> None:
    """Add a row.

    Args:
        by: who did it; empty: the person of the request, or whose account it is.
    """
    actor = request.user if request is not None and request.user.is_authenticated else person
    address = None if request is None else address_of(request)
    AccountChange.objects.create(by=by or actor.get_username(), person=person, what=what, address=address)


def address_of(request: HttpRequest) -> str | None:
    """The IP address that a request came from; None where the server does not know one."""
    try:
        return str(ip_address(request.META.get("REMOTE_ADDR", "")))
    except ValueError:
        return None


def related_accounts(pseudo: str) -> set[str]:
    """Names of the accounts behind which the person of this one may be, by how they were made.

    Who invited or changed an account may be its owner: an admin can invite himself, as often as he likes. So two
    accounts are related where one made the other, through whatever accounts between, or where one account made both.
    """
    with connection.cursor() as cursor:
        cursor.execute(RELATED, [pseudo])
        return {str(name) for (name,) in cursor.fetchall()} - {pseudo}


def record_password(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    """Keep that somebody changed or set the password of his own account."""
    record_change(user, "password changed", request=request)


def record_factor(sender: Any, instance: Any, created: bool | None = None, **_: Any) -> None:
    """Keep that a second factor, passkey or set of recovery codes was made or, without `created`, removed.

    By signals of the model, which are sent in the transaction of the change: allauth's own comes after it. Without a
    request the caller keeps who it was.
    """
    if context.request is not None and created is not False:  # False: it was used, or got another name
        record_change(
            instance.user, f"{FACTORS[instance.type]} {'added' if created else 'removed'}", request=context.request
        )
