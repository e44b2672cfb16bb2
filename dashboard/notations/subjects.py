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
        source, _, identity = self.key.partition("/")
        match self.kind:
            case "listing":
                return reverse("market", args=[self.key])
            case "article":
                return f"{reverse('article')}?{urlencode({'source': source, 'article': identity})}"
            case "filing":
                return f"{reverse('filing')}?{urlencode({'source': source, 'document': identity})}"
            case "series":
                return f"{reverse('series')}?{urlencode({'series': self.key})}"
            case "order":
                return reverse("trace", args=[self.key])
            case kind:
                return reverse(kind, args=[self.key])

    @property
    def write_url(self) -> str:
        """The form to say something of it."""
        return f"{reverse('notation_write')}?{urlencode({'kind': self.kind, 'key': self.key})}"
