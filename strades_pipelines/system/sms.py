"""Text messages through Twilio's own client: each is looked up before it is sent, so that none goes out twice.

Twilio knows no key that makes a message one, however often it is asked for. So the text has a mark of its own, and
before each attempt the messages of the last hour are looked through for it: an attempt that timed out may have been
taken. Where they cannot be looked through, nothing is sent.
"""

import hashlib
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from strades_pipelines.settings import settings

SECONDS = 10.0  # for one answer
SETTLING_SECONDS = 2.0  # from an attempt without an answer until its message is in the list, if it was taken
ATTEMPTS = 2
LOOK_BACK = timedelta(hours=1)
NEWEST = 100  # messages that are looked through
LONGEST = 300  # letters; a message of 160 is one part
GONE = frozenset({"failed", "undelivered", "canceled"})  # of a message that reached nobody


class SmsFailed(OSError):
    """No message is known to have gone out; one line on why."""


def send_sms(subject: str, message: str) -> str:
    """Send a text to `alert_sms_to`, once however often it is called within an hour; the id that Twilio gave it.

    Raises:
        SmsFailed: refused, not taken after two attempts, or not known.
    """
    from twilio.base.exceptions import TwilioException

    body, mark = _with_mark(subject, message)
    client = _client()
    try:
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(SETTLING_SECONDS)
            if (known := _find(client, mark)) is not None:
                return known
            if (taken := _attempt(client, body)) is not None:
                return taken
        time.sleep(SETTLING_SECONDS)
        if (known := _find(client, mark)) is not None:
            return known
    except (TwilioException, OSError, ValueError, KeyError, TypeError) as error:  # requests' errors are OSErrors
        raise SmsFailed(_said(error)) from None
    raise SmsFailed(f"{ATTEMPTS} attempts had no answer, and no message is in the list")


def _client() -> Any:
    found = settings()
    missing = [name for name in ("twilio_account", "twilio_auth_token", "alert_sms_from") if not getattr(found, name)]
    if missing:
        raise SmsFailed(f"STRADES_{missing[0].upper()} is not set")
    try:
        from twilio.http.http_client import TwilioHttpClient
        from twilio.rest import Client
    except ImportError:
        raise SmsFailed("Twilio's client is not installed: pip install 'strades[sms]'") from None
    client = Client(found.twilio_account, found.twilio_auth_token, http_client=TwilioHttpClient(timeout=SECONDS))
    client.api.base_url = found.twilio_url
    return client


def _attempt(client: Any, body: str) -> str | None:
    """Send it; its id, or None where nobody knows whether it was taken."""
    from requests import RequestException
    from twilio.base.exceptions import TwilioRestException

    try:
        sent = client.messages.create(to=settings().alert_sms_to, from_=settings().alert_sms_from, body=body)
        return str(sent.sid)
    except TwilioRestException as error:
        if error.status < 500 and error.status != 429:
            raise  # refused: another attempt would be, too
        return None
    except (RequestException, ValueError):
        return None


def _find(client: Any, mark: str) -> str | None:
    """The id of the message with this mark at its end, where it is among those of the last hour and did not fail.

    Not by its whole text, before which a trial account puts a sentence, and in which Twilio writes some signs in other
    ways; and not by its sender, which of a messaging service is one of several numbers.
    """
    since = datetime.now(UTC) - LOOK_BACK
    # Newest first. Not by the time of sending, which a message that waits at Twilio has none of.
    for one in client.messages.list(to=settings().alert_sms_to, limit=NEWEST):
        made = one.date_created
        if (one.body or "").endswith(mark) and one.status not in GONE and (made is None or made >= since):
            return str(one.sid)
    return None


def _with_mark(subject: str, message: str) -> tuple[str, str]:
    """The text, with eight digits of its SHA-256 behind it, and that mark: the same alert has the same one."""
    text = " ".join(f"[strades {settings().world}] {subject}: {message}".split())
    mark = f"[{hashlib.sha256(text.encode()).hexdigest()[:8]}]"
    # Behind the cut: a mark that is cut off finds no message.
    return f"{text[: LONGEST - 12]} {mark}", mark


def _said(error: Exception) -> str:
    """A line without address and numbers, which may hold an account."""
    status = getattr(error, "status", None)
    return f"Twilio answers {status}" if status is not None else f"Twilio could not be asked ({type(error).__name__})"
