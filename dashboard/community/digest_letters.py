"""The mails of digests: plain text, links, and no words that somebody wrote."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from email.message import EmailMessage

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard.community.models import Digest
from dashboard.community.words import Line
from dashboard.meetings.planning import Occurrence
from strades_pipelines.system.alerting import letter_to

SHOWN = 50


@dataclass(frozen=True)
class Links:
    """Where the links of a mail lead: `site` is scheme, host and port; the tokens prove that the mail was got."""

    site: str
    confirm_token: str
    stop_token: str

    @property
    def confirm(self) -> str:
        """The page that asks whether the address is right."""
        return f"{self.site}{reverse('digest_confirm', args=[self.confirm_token])}"

    @property
    def stop(self) -> str:
        """The page that ends the mails."""
        return f"{self.site}{reverse('digest_stop', args=[self.stop_token])}"


@dataclass(frozen=True)
class News:
    """What a mail tells: lines of the feed, newest first, and events to be reminded of, soonest first."""

    lines: Sequence[Line]
    events: Sequence[Occurrence]


def question_letter(digest: Digest, links: Links) -> EmailMessage:
    """Ask whether the address belongs to who chose it."""
    text = _(
        "The account %(name)s of %(site)s wants to have a digest of its feed sent to this address.\n\n"
        "If that is you, confirm it within a week:\n%(confirm)s\n\n"
        "If not, do nothing, or refuse it:\n%(stop)s"
    ) % {"name": digest.person.pseudo, "site": links.site, "confirm": links.confirm, "stop": links.stop}
    return _letter(digest, links, _("Is this your address?"), text)


def news_letter(digest: Digest, links: Links, news: News) -> EmailMessage:
    """What is new: who did what, with links. Who follows them signs in, and sees what he may see then."""
    count = len(news.lines) + len(news.events)
    subject = ngettext("%(count)d thing that concerns you", "%(count)d things that concern you", count)
    parts = [
        *(f"{one.who} {one.did}" + (f": {links.site}{one.url}" if one.url else "") for one in news.lines[:SHOWN]),
        *([_("And more: %(url)s") % {"url": links.site + reverse("community")}] if len(news.lines) > SHOWN else []),
        *(_event(one, links.site) for one in news.events[:SHOWN]),
        _("No more of these mails:\n%(stop)s") % {"stop": links.stop},
    ]
    return _letter(digest, links, subject % {"count": count}, "\n\n".join(parts))


def _event(one: Occurrence, site: str) -> str:
    url = site + reverse("meeting", args=[one.meeting.pk])
    at = f"{one.starts_at.astimezone(UTC):%Y-%m-%d %H:%M}"
    return str(_("An event begins %(at)s UTC: %(url)s") % {"at": at, "url": url})


def _letter(digest: Digest, links: Links, subject: str, text: str) -> EmailMessage:
    letter = letter_to(digest.address, subject, text)
    letter["List-Unsubscribe"] = f"<{links.stop}>"  # RFC 2369
    letter["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's automatic answer comes back
    return letter
