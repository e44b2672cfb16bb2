"""Alpaca's status, code and message for each reason of a refusal.

Source: Alpaca's documentation where it names them, else users' reports (alpaca-py 225, Alpaca-API 282, alpaca-java 145
and 147).
"""

from typing import Any

from sandbox.venue.orders import OrderRefused, Reason

# Reason -> (HTTP status, Alpaca's code, its message; {} is the core's own).
REFUSALS = {
    Reason.INVALID: (422, 40010001, "{}"),
    Reason.UNKNOWN_SYMBOL: (422, 42210000, 'asset "{}" not found'),
    Reason.DUPLICATE_CLIENT_ID: (422, 40010001, "{}"),
    Reason.PRECISION: (422, 42210000, "invalid {}. sub-penny increment does not fulfill minimum pricing criteria"),
    Reason.FRACTION: (422, 42210000, "{}"),
    Reason.TOO_SMALL: (403, 40310000, "cost basis must be >= minimal amount of order {}"),
    Reason.NO_FUNDS: (403, 40310000, "{}"),
    Reason.NO_POSITION: (403, 40310000, "{}"),
    Reason.NO_SHORTING: (403, 40310000, "{}"),
    Reason.WASH_TRADE: (403, 40310000, "{}"),
    Reason.POST_ONLY: (422, 42210000, "{}"),
    Reason.NOT_FOUND: (404, 40410000, "{}"),
    Reason.CLIENT_ID_NOT_FOUND: (404, 40410000, "order not found"),
    Reason.FINISHED: (422, 42210000, "{}"),
    Reason.NO_CHANGE: (422, 42210000, "{}"),
}


def refusal(refused: OrderRefused) -> tuple[int, dict[str, Any]]:
    """Return the HTTP status and the error body of a refusal."""
    status, code, message = REFUSALS[refused.reason]
    return status, {"code": code, "message": message.format(refused.message), **refused.facts}
