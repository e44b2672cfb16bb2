"""What ccxt does not unify of its venues."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a venue differs from ccxt's common interface.

    Args:
        client_id_prefix: what it puts before our client order ids.
        order_parameter: the parameter of `fetch_my_trades` that names an order; None where there is none.
        page_parameter: the parameter that numbers the pages of a list; None where lists go on from a time.
        expiry_header: the header with the time, in ms since the epoch, after which the venue drops a request.
        dead_mans_switch: ccxt's method of the request that has all open orders cancelled in `timeout` seconds.
    """

    client_id_prefix: str = ""
    order_parameter: str | None = None
    page_parameter: str | None = None
    expiry_header: str | None = None
    dead_mans_switch: str | None = None


# Gate.io's API v4 reference: `Create an order`, `List personal trading history`, header `x-gate-exptime`,
# `Countdown cancel orders`.
GATE = Dialect("t-", "order_id", "page", "x-gate-exptime", "private_spot_post_countdown_cancel_all")
DIALECTS = {"gate": GATE, "gateio": GATE}


def dialect_of(venue: str) -> Dialect:
    """The dialect of a venue by ccxt's name of it; a venue that is not listed here follows ccxt's interface."""
    return DIALECTS.get(venue, Dialect())
