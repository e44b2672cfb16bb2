"""Accounts made from a terminal, by the same rules as the form."""

from django.contrib.auth.password_validation import validate_password

from dashboard.accounts.models import User
from dashboard.accounts.roles import Role


def create_account(pseudo: str, password: str, *, role: str) -> User:
    """A new account.

    Raises:
        ValidationError: the name is taken or cannot be one, or the password is too weak; with a line for each.
    """
    user = User(pseudo=User.normalize_username(pseudo), role=Role(role))
    user.set_unusable_password()
    user.full_clean()
    validate_password(password, user=user)
    return User.objects.create_user(pseudo, password, role=Role(role))
