"""Bodies of requests are read up to a limit, before Django sees them."""

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """ASGI middleware that answers 413 to a larger body, and keeps no more than the limit of it.

    Django writes any body into a file of the temporary folder, without a limit, before it asks how long it is.

    Args:
        limit: in bytes.
        larger: other limits, by the path of the URL.
    """

    def __init__(self, app: ASGIApp, limit: int, larger: Mapping[str, int] | None = None) -> None:
        self._app, self._limit, self._larger = app, limit, larger or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._larger.get(scope["path"], self._limit)
        # The header is believed only where it says too much; the body is counted all the same.
        declared = Headers(scope=scope).get("content-length", "0")
        messages = None if declared.isdigit() and int(declared) > limit else await self._read(receive, limit)
        if messages is None:
            headers = {"connection": "close"}  # the rest of the body is not read
            answer = PlainTextResponse(f"refused: more than {limit} bytes\n", status_code=413, headers=headers)
            await answer(scope, receive, send)
            return

        async def read_again() -> Message:
            return messages.pop(0) if messages else await receive()

        await self._app(scope, read_again, send)

    async def _read(self, receive: Receive, limit: int) -> list[Message] | None:
        """The messages of a whole body, or of one that broke off; None where it is too large."""
        messages: list[Message] = []
        length = 0
        while True:
            message = await receive()
            messages.append(message)
            length += len(message.get("body", b""))
            if length > limit:
                return None
            if not message.get("more_body", False):
                return messages
