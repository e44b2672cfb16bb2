"""Mails about the feed, for who chose them: what of it is new, once a period, under the reader's own rights.

A mail's row is committed before the mail is sent, so a process that is killed in between sends none twice; what that
mail told, or did not, stands in the next one again.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from email.message import EmailMessage
from smtplib import SMTPDataError, SMTPRecipientsRefused

from django.core.signing import BadSignature, Signer
from django.db import IntegrityError, transaction
from django.utils.translation import override

from dashboard.accounts.models import User
from dashboard.community.acts import read_feed, record_act
from dashboard.community.contacts import blocked_people, profile_of
from dashboard.community.digest_letters import Links, News, news_letter, question_letter
from dashboard.community.models import DAILY, QUESTION, Digest, DigestMail
from dashboard.community.words import feed_lines
from dashboard.gateway.reading import parse_whole
from dashboard.gateway.viewer import set_viewer
from dashboard.meetings.planning import reminders
from strades_pipelines.settings import settings
from strades_pipelines.system.alerting import MaybeSent

logger = logging.getLogger(__name__)
MOST_ACTS = 500
# An address that nobody confirms within these days is asked no more.
CONFIRM_DAYS = timedelta(days=7)
LARGEST_ID = 2**63 - 1
REFUSED = (SMTPRecipientsRefused, SMTPDataError)
Send = Callable[[EmailMessage], None]


def digest_of(person: User) -> Digest | None:
    """The choice that counts, or None: no mails. One query."""
    found: Digest | None = Digest.objects.filter(person=person, ended_at=None).first()
    return found


@transaction.atomic
def choose_digest(person: User, *, every: str, address: str, language: str) -> None:
    """Have mails sent to an address `every` day or week, or with an empty one none.

    Another address is asked first; another period of the same one begins with the next.
    """
    User.objects.select_for_update().get(pk=person.pk)  # of two forms one waits for the other
    now, before = settings().now(), digest_of(person)
    if before is not None:
        is_same = (before.every, before.address, before.language) == (every, address, language)
        if is_same and before.confirmed_at is not None:
            return
        Digest.objects.filter(pk=before.pk).update(ended_at=now)
    if every:
        is_known = before is not None and before.address == address and before.confirmed_at is not None
        Digest.objects.create(
            person=person,
            every=every,
            address=address,
            language=language,
            chosen_at=now,
            confirmed_at=now if is_known else None,
        )
    if every or before is not None:
        record_act(profile_of(person), "status_updated", by=person)


def token_of(digest: Digest, purpose: str) -> str:
    """What proves, in a link of a mail, that who follows it got the mail.

    Args:
        purpose: `confirm` or `stop`.
    """
    signed: str = Signer(key=digest.key, salt=purpose).sign(str(digest.pk))
    return signed


def digest_of_token(token: str, purpose: str) -> Digest | None:
    """The choice that a link is about, or None: it ended, is not confirmed in time, or the token is of no mail."""
    number = parse_whole(token.partition(":")[0], LARGEST_ID)
    found: Digest | None = Digest.objects.filter(pk=number, ended_at=None).first()
    if found is None:
        return None
    try:
        Signer(key=found.key, salt=purpose).unsign(token)
    except BadSignature:
        return None
    is_late = found.confirmed_at is None and found.chosen_at + CONFIRM_DAYS <= settings().now()
    return None if purpose == "confirm" and is_late else found


def confirm_digest(digest: Digest) -> None:
    """Keep that the address is the person's; mails begin with the next period."""
    Digest.objects.filter(pk=digest.pk, confirmed_at=None).update(confirmed_at=settings().now())


def stop_digest(digest: Digest) -> None:
    """Send no more mails."""
    with transaction.atomic():
        # Of two clicks on the link one is the act.
        if Digest.objects.filter(pk=digest.pk, ended_at=None).update(ended_at=settings().now()):
            record_act(profile_of(digest.person), "status_updated", by=digest.person)


def period_of(every: str, at: datetime) -> str:
    """The day, or the week of ISO 8601, of a time in UTC."""
    return f"{at:%Y-%m-%d}" if every == DAILY else f"{at:%G-W%V}"


def send_digests(send: Send, *, site: str) -> int:
    """Send each mail that is due; how many went out.

    Args:
        send: raises `MaybeSent`, or another OSError where nothing was sent.
        site: scheme, host and port of the pages.

    Raises:
        OSError: the mail server cannot be used. What was not sent is due still.
    """
    now, count = settings().now(), 0
    for digest in Digest.objects.filter(ended_at=None, person__is_active=True).select_related("person").order_by("pk"):
        try:
            with override(digest.language), _viewed_by(digest.person):
                count += _send_due(
                    send, digest, Links(site, *(token_of(digest, one) for one in ("confirm", "stop"))), now
                )
        except MaybeSent:
            logger.warning("account %d: its digest may have gone out, and is not sent again", digest.person_id)
        except REFUSED as error:  # of this mail alone; its text has the address
            logger.warning("account %d: its digest was refused (%s)", digest.person_id, type(error).__name__)
    return count


def _send_due(send: Send, digest: Digest, links: Links, now: datetime) -> bool:
    if digest.confirmed_at is None:
        is_open = digest.chosen_at + CONFIRM_DAYS > now
        return is_open and _send_once(send, digest, QUESTION, lambda: question_letter(digest, links), now)
    period = period_of(digest.every, now)
    if period == period_of(digest.every, digest.confirmed_at):
        return False
    return _send_once(send, digest, period, lambda: _news(digest, links, now), now)


def _send_once(
    send: Send, digest: Digest, period: str, letter: Callable[[], EmailMessage | None], now: datetime
) -> bool:
    """Send the mail of a period, unless it was begun before; one without news is not sent and counts as done."""
    try:
        with transaction.atomic():
            row = DigestMail.objects.create(digest=digest, period=period, begun_at=now)
    except IntegrityError:
        return False
    written = letter()
    if written is not None:
        try:
            send(written)
        except MaybeSent:
            raise
        except OSError:  # nothing went out: it is due still
            row.delete()
            raise
    DigestMail.objects.filter(pk=row.pk).update(sent_at=now)
    return written is not None


def _news(digest: Digest, links: Links, now: datetime) -> EmailMessage | None:
    """The mail about what others did since the last mail that was certainly sent; None where there is nothing."""
    person = digest.person
    sent = digest.mails.exclude(period=QUESTION).filter(sent_at__isnull=False).order_by("-sent_at").first()
    since = sent.sent_at if sent is not None else digest.confirmed_at
    acts = [act for act in read_feed(until=now, most=MOST_ACTS) if since <= act.at < now and act.person_id != person.pk]
    ahead = timedelta(days=1 if digest.every == DAILY else 7)
    news = News(
        lines=feed_lines(acts, blocked_people(person), viewer=person.pk),
        events=reminders(person, now, ahead=ahead),
    )
    return news_letter(digest, links, news) if news.lines or news.events else None


@contextmanager
def _viewed_by(person: User) -> Iterator[None]:
    set_viewer(person.pk)
    try:
        yield
    finally:
        set_viewer(None)
