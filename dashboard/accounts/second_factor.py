"""Removal of a second factor that its owner cannot use any more."""

from allauth.mfa.models import Authenticator
from django.db import transaction

from dashboard.accounts.changes import record_change
from dashboard.accounts.connections import end
from dashboard.accounts.models import Connection, User


class SecondFactorUnreadable(Exception):
    """A second factor was encrypted with another `dashboard.key` than that of this home."""


@transaction.atomic
def remove_second_factor(pseudo: str, *, by: str) -> bool:
    """Remove an account's second factor with its recovery codes, end its connections, and keep who did it.

    Returns:
        Whether it had one.

    Raises:
        User.DoesNotExist: nobody has that name.
    """
    person = User.objects.select_for_update(no_key=True).get(pseudo=User.normalize_username(pseudo))
    removed, _rows = Authenticator.objects.filter(user=person).delete()
    if removed:
        end(Connection.objects.filter(user=person))
        record_change(person, "second factor removed", by=by)
    return bool(removed)
