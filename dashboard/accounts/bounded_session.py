"""Requests to the OpenID provider, with limits on an answer's size and time, and without redirects."""

import time
from typing import Any

import urllib3
from requests import PreparedRequest, Response, Session
from requests.exceptions import RequestException

MOST_BYTES = 2**20  # a provider's keys are some ten kB
MOST_SECONDS = 10.0  # of a whole answer; each wait for the next byte of it ends after TIMEOUT_SECONDS
TIMEOUT_SECONDS = 5.0
PIECE = 2**16


class AnswerRefused(RequestException):
    """An answer was too large, took too long, or broke off."""


class BoundedSession(Session):
    """As `requests.Session`; no redirect is followed, since it would lead to a host that the settings do not name."""

    def get_redirect_target(self, resp: Response) -> None:
        """None: `requests` would read the whole body of a redirect, without a limit, to prepare the next request."""

    def send(self, request: PreparedRequest, **options: Any) -> Response:
        """Send a request and read its answer.

        Raises:
            AnswerRefused: it has more than MOST_BYTES, unpacked, is not whole after MOST_SECONDS, or breaks off.
        """
        ends_at = time.monotonic() + MOST_SECONDS
        bounded = {**options, "stream": True, "allow_redirects": False, "timeout": TIMEOUT_SECONDS}
        response = super().send(request, **bounded)
        pieces, length = [], 0
        try:
            # `read1` returns what is there: a read of a whole piece would wait for it however slowly it comes.
            while piece := response.raw.read1(PIECE, decode_content=True):
                pieces.append(piece)
                length += len(piece)
                if length > MOST_BYTES or time.monotonic() > ends_at:
                    response.close()
                    size, duration = f"more than {MOST_BYTES} bytes", f"no end within {MOST_SECONDS:.0f} s"
                    said = size if length > MOST_BYTES else duration
                    raise AnswerRefused(f"the provider's answer has {said}", response=response)
        except urllib3.exceptions.HTTPError as error:  # `requests` translates these only where it reads the body itself
            response.close()
            what = f"the provider's answer broke off: {type(error).__name__}"
            raise AnswerRefused(what, response=response) from error
        # As if `requests` had read it: its own reading has no limit.
        response._content, response._content_consumed = b"".join(pieces), True
        response.close()
        return response
