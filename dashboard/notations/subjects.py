"""The records that a notation can be about: kinds, keys and where each is shown."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext_lazy

KINDS = {
    "listing": gettext_lazy("market"),
    "article": gettext_lazy("article"),
    "series": gettext_lazy("series"),
    "filing": gettext_lazy("filing"),
    "decision": gettext_lazy("decision"),
    "order": gettext_lazy("order"),
    "wallet": gettext_lazy("wallet"),
}

# Pages that have the key in their path; the others have it as parameters, since it may hold anything.
PATHS = {"listing": "market", "decision": "decision", "order": "trace", "wallet": "wallet"}


@dataclass(frozen=True)
class Subject:
    """A record: its kind, one of KINDS, and its key. That of an article or filing is `SOURCE/ID`."""

    kind: str
    key: str

    @property
    def word(self) -> str:
        """Its kind in the language of the page."""
        return str(KINDS.get(self.kind, self.kind))

    @property
    def url(self) -> str:
        """The page of the record."""
        if self.kind in PATHS:
            return str(reverse(PATHS[self.kind], args=[self.key]))
        source, _, identity = self.key.partition("/")
        named = {
            "article": {"source": source, "article": identity},
            "filing": {"source": source, "document": identity},
            "series": {"series": self.key},
        }
        return f"{reverse(self.kind)}?{urlencode(named[self.kind])}"

    @property
    def write_url(self) -> str:
        """The form to say something of it."""
        return f"{reverse('notation_write')}?{urlencode({'kind': self.kind, 'key': self.key})}"
