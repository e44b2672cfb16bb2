"""The panel of notations on a record's page."""

from typing import Any

from django import template

from dashboard.notations.models import versions_of
from dashboard.notations.subjects import Subject

register = template.Library()
MOST_VERSIONS = 100


@register.inclusion_tag("notations/panel.html", takes_context=True)
def notations(context: template.Context, kind: str, *keys: Any) -> dict[str, Any]:
    """What people say of a record now, and each version before. One query.

    Args:
        keys: the key of the record; of an article or filing its source and its id.
    """
    subject = Subject(kind, "/".join(map(str, keys)))
    versions = list(versions_of(subject)[:MOST_VERSIONS])
    # The newest come first: reversed, the newest of each author is what stays.
    newest = {version.author_id: version for version in reversed(versions)}
    return {
        "subject": subject,
        "current": [version for version in newest.values() if not version.is_taken_back],
        "versions": versions,
        "user": context["user"],
        "may": context["may"],
        "now": context["now"],
    }
