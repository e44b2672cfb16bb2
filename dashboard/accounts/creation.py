"""Accounts made from a terminal, by the same rules as the form."""

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from dashboard.accounts.changes import record_change
from dashboard.accounts.models import User
from dashboard.accounts.roles import Role


@transaction.atomic
def create_account(pseudo: str, password: str, *, role: str, by: str) -> User:
    """Make an account, and keep who made it.

    Raises:
        ValidationError: the name is taken or cannot be one, or the password is too weak; with a line for each.
    """
    user = User(pseudo=User.normalize_username(pseudo), role=Role(role))
    user.set_unusable_password()
    user.full_clean()
    if User.objects.filter(pseudo__iexact=user.pseudo).exists():  # of two spellings neither could sign in
        raise ValidationError(f"expected a name that nobody has, was {user.pseudo}, but for its capitals")
    validate_password(password, user=user)
    made: User = User.objects.create_user(pseudo, password, role=Role(role))
    record_change(made, f"made as {role}", by=by)
    return made
