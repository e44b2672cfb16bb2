"""Where a request goes on the wire, while all that knows the request still holds it."""

from scrapy import Request


def set_url(request: Request, url: str) -> None:
    """Change the address of a request itself.

    Scrapy's public way, `Request.replace`, makes another request, and whoever sends that one would log, retry and store
    the address with its key. `tests/test_private_interfaces.py` holds what this rests on.
    """
    request._set_url(url)
