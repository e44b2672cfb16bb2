"""Send alerts: always to the log, and by web hook, e-mail and SMS where the settings name them. Needs no Dagster.

Settings are read when an alert is sent: no definition and no run config holds a secret.
"""

import json
import logging
import smtplib
from collections.abc import Callable
from contextlib import closing, suppress
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

from strades_pipelines.settings import settings
from strades_pipelines.system.sms import send_sms

logger = logging.getLogger("strades_pipelines.notifier")
SECONDS = 10


class MaybeSent(OSError):
    """A mail that may have gone out, or not."""


def send_alert(subject: str, message: str) -> list[str]:
    """Send one alert: a subject of a few words, and one line that says what, where and what to do.

    Returns:
        The ways it went. One that fails is logged and stops no other.
    """
    logger.error("ALERT %s: %s", subject, message)
    ways: list[tuple[str, str | None, Callable[[str, str, str], object]]] = [
        ("webhook", settings().alert_webhook, post),
        ("mail", settings().alert_smtp, mail),
        ("sms", settings().alert_sms_to, lambda _to, subject, message: send_sms(subject, message)),
    ]
    went = ["log"]
    for name, target, send in ways:
        if target:
            try:
                send(target, subject, message)
            except Exception as error:
                # The target holds a token or a password, and some errors repeat it.
                logger.error("the %s did not go out: %s", name, type(error).__name__)
            else:
                went.append(name)
    return went


def deliver_alert(subject: str, message: str) -> bool:
    """Send one alert; whether a person got it, which the log alone is for only where the settings name no other way."""
    has_way = bool(settings().alert_webhook or settings().alert_smtp or settings().alert_sms_to)
    return len(send_alert(subject, message)) > 1 or not has_way


def post(url: str, subject: str, message: str) -> None:
    """POST the alert as JSON; `text` is what chat services show.

    Raises:
        OSError: when the other side cannot be reached or refuses.
    """
    body = {"subject": subject, "message": message, "text": f"{subject}: {message}", "world": settings().world}
    request = Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urlopen(request, timeout=SECONDS):
        pass


def mail(url: str, subject: str, message: str) -> None:
    """Mail the alert to `STRADES_ALERT_TO` through the server of `url`, see `send_letter`.

    Raises:
        OSError: when there is no receiver, or the server cannot be reached or refuses.
    """
    if not settings().alert_to:
        raise OSError("STRADES_ALERT_TO: expected an address, was empty")
    send_letter(url, letter_to(settings().alert_to, subject, message))


def letter_to(receivers: str, subject: str, message: str) -> EmailMessage:
    """A mail of this installation, which its subject names."""
    letter = EmailMessage()
    # EmailMessage refuses a header with a line feed, and the alert would be lost.
    letter["Subject"] = f"[strades {settings().world}] {subject}".replace("\n", " ")
    letter["From"], letter["To"] = settings().alert_from, receivers
    letter.set_content(message)
    return letter


def send_letter(url: str, letter: EmailMessage) -> None:
    """Send a mail by `smtp://[user:password@]host[:port]`, or `smtps://` for TLS from the first byte.

    A server that offers STARTTLS is spoken to in it; a password is never sent without.

    Raises:
        MaybeSent: the connection ended before the server answered for the whole mail.
        OSError: when the server cannot be reached or refuses (`smtplib.SMTPException` is one); nothing was sent.
    """
    parts = urlsplit(url)
    implicit = parts.scheme == "smtps"
    connect = smtplib.SMTP_SSL if implicit else smtplib.SMTP
    with closing(connect(parts.hostname or "", parts.port or (465 if implicit else 25), timeout=SECONDS)) as server:
        server.ehlo_or_helo_if_needed()
        if not implicit and server.has_extn("starttls"):
            server.starttls()
        elif parts.username and not implicit:
            raise OSError("the server offers no TLS; the password was not sent")
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        try:
            server.send_message(letter)
        # The server has answered, and each of these is an OSError too: nothing was sent.
        except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused, smtplib.SMTPNotSupportedError):
            raise
        except OSError as error:
            raise MaybeSent(type(error).__name__) from error
        with suppress(OSError):  # the server has the mail: however it says goodbye
            server.quit()
