"""What was done to an account, as a row that stays, written in the transaction of the change."""

from ipaddress import ip_address
from typing import Any

from allauth.core import context
from django.http import HttpRequest

from dashboard.accounts.models import AccountChange, Invitation, User

# Of `Authenticator.type`.
FACTORS = {"totp": "authenticator app", "webauthn": "passkey", "recovery_codes": "recovery codes"}


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
    """Names of the accounts that this one invited or changed, and of those that invited or changed it.

    One person may be behind two of them: an admin can invite himself. Longer chains are not followed.
    """
    invited = Invitation.objects.filter(created_by__pseudo=pseudo).values_list("used_by__pseudo", flat=True)
    inviting = Invitation.objects.filter(used_by__pseudo=pseudo).values_list("created_by__pseudo", flat=True)
    changed = AccountChange.objects.filter(by=pseudo).values_list("person__pseudo", flat=True)
    changing = AccountChange.objects.filter(person__pseudo=pseudo).values_list("by", flat=True)
    return {str(name) for name in invited.union(inviting, changed, changing) if name} - {pseudo}


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
