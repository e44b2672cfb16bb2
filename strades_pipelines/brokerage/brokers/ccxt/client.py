"""ccxt's client of one account: bounded time-outs, exact numbers, and errors in the words of `brokers.venue_errors`."""

from copy import copy
from datetime import timedelta
from decimal import localcontext
from typing import TYPE_CHECKING, Any

from strades_pipelines.brokerage.brokers.ccxt.dialects import dialect_of
from strades_pipelines.brokerage.brokers.venue_errors import (
    BrokerError,
    NotSent,
    RateLimited,
    Rejected,
    Unknown,
    is_connection_refused,
    retry_after,
)

if TYPE_CHECKING:
    import requests

CONNECT_SECONDS, READ_SECONDS = 3.0, 10.0
# A venue drops an order that reaches it later than this, so that one that hangs on the way is not accepted after
# execution has asked for it and was told that it is not there. Longer than the time-out by the clocks' difference.
ORDER_LIFETIME = timedelta(seconds=20)
TIMEOUT, TOO_MANY, BANNED = 408, 429, 418
UNAUTHORIZED = (401, 407)
WAIT = timedelta(seconds=10)  # where a venue that takes nothing does not say for how long


class OrderNotFound(Rejected):
    """The venue's own word that it does not know the order by this id; it may have forgotten the id."""


class Client:
    """A ccxt exchange without its conveniences.

    ccxt turns numbers into floats, sets the rounding of the whole thread's decimals, and wraps what `requests` raises
    in exceptions that do not say whether anything was sent.

    Args:
        exchange: an instance of a class of `ccxt`. Its numbers become text from now on, as the venue wrote them.
    """

    def __init__(self, exchange: Any) -> None:
        self.exchange = exchange
        self.dialect = dialect_of(exchange.id)
        self.answer: requests.Response | None = None
        exchange.number = str
        exchange.enableRateLimit = False  # it sleeps; execution obeys the venue's 429 instead
        exchange.options |= {
            "maxRetriesOnFailure": 0,  # ccxt would send an order again whose answer was lost
            "defaultType": "spot",
            "fetchMarkets": {"types": ["spot"]},
            "warnOnFetchOpenOrdersWithoutSymbol": False,
        }
        exchange.has["fetchCurrencies"] = False  # networks and deposits, which nobody here needs
        self._send = exchange.session.request
        exchange.session.request = self._request

    def with_own_session(self) -> "Client":
        """A client of the same account for another thread: an adapter of `requests` is for several, a session is not.

        What both only read, the venue's list of markets say, they share.
        """
        import requests

        exchange, session = copy(self.exchange), requests.Session()
        session.trust_env = self.exchange.session.trust_env
        session.adapters = self.exchange.session.adapters
        # ccxt closes a session with its exchange, and with it the connections of all.
        session.close = lambda: None  # type: ignore[method-assign]
        exchange.session = session
        return Client(exchange)

    @property
    def message(self) -> bytes | None:
        """What the venue said last, as it came."""
        return self.answer.content if self.answer is not None else None

    def call(self, method: str, *arguments: Any) -> Any:
        """A method of ccxt's common interface; its answer has numbers as text.

        Raises:
            BrokerError: of the kind that says what is certain.
        """
        import ccxt

        self.answer = None
        try:
            with localcontext():
                return getattr(self.exchange, method)(*arguments)
        except ccxt.BaseError as error:
            raise translated(error, self.answer) from error
        except Exception as error:
            if self.answer is None:
                raise
            # One of ccxt's parsers, on an answer of another form than it expects.
            raise Unknown(f"expected an answer of {method}, was {error!r}", self.message) from error

    def create_order(self, *arguments: Any) -> Any:
        """`create_order` of ccxt, which the venue drops where it arrives too late, if it can.

        Raises:
            BrokerError: of the kind that says what is certain.
        """
        header = self.dialect.expiry_header
        expires = self.exchange.milliseconds() + int(ORDER_LIFETIME.total_seconds() * 1000)
        self.exchange.headers = {header: str(expires)} if header else {}
        try:
            return self.call("create_order", *arguments)
        # Otherwise the next request would carry this order's expiry, and be dropped.
        finally:
            self.exchange.headers = {}

    def load_markets(self) -> None:
        """Have the venue's list of markets, once.

        Raises:
            NotSent: it does not tell them, so that no order can be sent.
            RateLimited: it takes nothing now.
        """
        if self.exchange.markets:
            return
        try:
            self.call("load_markets")
            # Else ccxt asks before the first order, and takes no answer for a no.
            if hasattr(self.exchange, "load_unified_status"):
                self.call("load_unified_status")
        # As it is: `retry_after` would be lost in a NotSent.
        except RateLimited:
            raise
        except BrokerError as error:
            raise NotSent(f"no list of markets: {error}", error.message) from error

    def _request(self, method: str, url: str, **options: Any) -> "requests.Response":
        # A request that raises then leaves no answer: `_without_answer` decides by that what is certain.
        self.answer = None
        self.answer = self._send(method, url, **options | {"timeout": (CONNECT_SECONDS, READ_SECONDS)})
        return self.answer


def translated(error: Exception, answer: "requests.Response | None") -> BrokerError:
    """What an exception of ccxt means for an order.

    Args:
        answer: to the request that failed; None where there was none, or no request at all.
    """
    import ccxt

    status = answer.status_code if answer is not None else 0
    message = answer.content if answer is not None else None
    reason = f"{type(error).__name__}: {error}"[:400]
    if isinstance(error, ccxt.RateLimitExceeded | ccxt.DDoSProtection) or status in (TOO_MANY, BANNED):
        seconds = answer.headers.get("Retry-After", "") if answer is not None else ""
        return RateLimited(reason, message, retry_after=retry_after(seconds, default=WAIT))
    if answer is None:
        return _without_answer(error, reason)
    # A 408 is an answer, but tells nothing of whether the order was read.
    if status >= 500 or status == TIMEOUT:
        return Unknown(reason, message)
    if isinstance(error, ccxt.AuthenticationError | ccxt.InvalidNonce) or status in UNAUTHORIZED:
        return NotSent(f"{reason}; are the keys and this machine's clock right?", message)
    if isinstance(error, ccxt.OrderNotFound):
        return OrderNotFound(reason, message)
    # Some venues refuse with 200: there ccxt's class has to name a refusal.
    refusals = (ccxt.InvalidOrder, ccxt.InsufficientFunds, ccxt.BadRequest, ccxt.OperationRejected, ccxt.NotSupported)
    return Rejected(reason, message) if status >= 400 or isinstance(error, refusals) else Unknown(reason, message)


def _without_answer(error: Exception, reason: str) -> BrokerError:
    import ccxt
    import requests

    cause = error.__cause__
    if isinstance(cause, requests.ConnectTimeout) or (cause is not None and is_connection_refused(cause)):
        return NotSent(reason)
    if cause is None and isinstance(error, ccxt.ExchangeError):
        return Rejected(reason)  # ccxt's own word: it sent nothing
    return Unknown(reason)
