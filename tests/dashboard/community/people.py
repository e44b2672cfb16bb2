"""People of tests: accounts by name, and two who are contacts."""

from dashboard.accounts.models import User
from dashboard.community.contacts import answer_request, open_requests, request_contact


def person(name: str) -> User:
    """An account by its name."""
    found: User = User.objects.get(pseudo=name)
    return found


def make_contacts(one: User, other: User) -> None:
    """The first asks, the second accepts."""
    request_contact(one, other)
    row = next(row for row in open_requests(other) if row.asked_by_id == one.pk)
    answer_request(other, row.pk, accepts=True)
