"""Requests to the OpenID provider whose answers have an end: of bytes, of seconds, at the address that was asked."""

import time
from typing import Any

from requests import PreparedRequest, Response, Session
from requests.exceptions import RequestException

MOST_BYTES = 2**20  # a provider's keys are some ten kB
MOST_SECONDS = 10.0  # of a whole answer; each wait for the next byte of it ends after TIMEOUT_SECONDS
TIMEOUT_SECONDS = 5.0
PIECE = 2**16


class AnswerRefused(RequestException):
    """An answer was too large or took too long."""


class BoundedSession(Session):
    """As `requests.Session`; no redirect is followed, since it would lead to a host that the settings do not name."""

    def send(self, request: PreparedRequest, **options: Any) -> Response:
        """Send a request and read its answer.

        Raises:
            AnswerRefused: it has more than MOST_BYTES, unpacked, or is not whole after MOST_SECONDS.
        """
        ends_at = time.monotonic() + MOST_SECONDS
        bounded = {**options, "stream": True, "allow_redirects": False, "timeout": TIMEOUT_SECONDS}
        response = super().send(request, **bounded)
        pieces, length = [], 0
        # `read1` returns what is there: a read of a whole piece would wait for it however slowly it comes.
        while piece := response.raw.read1(PIECE, decode_content=True):
            pieces.append(piece)
            length += len(piece)
            if length > MOST_BYTES or time.monotonic() > ends_at:
                response.close()
                said = f"more than {MOST_BYTES} bytes" if length > MOST_BYTES else f"no end within {MOST_SECONDS:.0f} s"
                raise AnswerRefused(f"the provider's answer has {said}", response=response)
        response._content, response._content_consumed = b"".join(pieces), True
        response.close()
        return response
