"""An order from the words of a command line."""

from decimal import Decimal, InvalidOperation

from strades_pipelines.bad_input import BadInput
from strades_pipelines.market.order_terms import OrderRequest, OrderTerms

TIMES_IN_FORCE, AUCTIONS = ("gtc", "day", "ioc", "fok"), ("open", "close")
LARGEST_EXPONENT = 28  # more digits cannot be traded exactly


def order_request(
    quantity: str,
    limit: str | None,
    stop: str | None,
    trail: str | None,
    time_in_force: str,
    auction: str | None,
    *,
    reduce_only: bool,
    replaces: str | None = None,
) -> OrderRequest:
    """The order that was typed. Numbers that no order may have, NaN say, are left to the gate, which records them.

    Raises:
        BadInput: for what is no number, and for a word that is none of those expected.
    """
    if time_in_force not in TIMES_IN_FORCE:
        raise BadInput(f"--time-in-force: expected one of {', '.join(TIMES_IN_FORCE)}, found {time_in_force!r}")
    if auction is not None and auction not in AUCTIONS:
        raise BadInput(f"--auction: expected one of {', '.join(AUCTIONS)}, found {auction!r}")
    terms = OrderTerms(
        limit=_price(limit, "--limit"),
        stop=_price(stop, "--stop"),
        trail=_price(trail, "--trail"),
        time_in_force=time_in_force,
        auction=auction,
        reduce_only=reduce_only,
        replaces=replaces,
    )
    return OrderRequest(decimal_word(quantity, "QUANTITY"), terms)


def _price(text: str | None, where: str) -> Decimal | None:
    return None if text is None else decimal_word(text, where)


def decimal_word(text: str, where: str) -> Decimal:
    """The number that was typed; NaN and infinity are numbers here.

    Raises:
        BadInput: for what is no number, or has too many digits.
    """
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise BadInput(f"{where}: expected a number, found {text!r}") from None
    # A signalling NaN raises where it is compared; the gate refuses a plain one in words.
    if number.is_snan():
        return Decimal("NaN")
    digits = len(number.as_tuple().digits)
    if number.is_finite() and max(abs(number.adjusted()), digits) > LARGEST_EXPONENT:
        raise BadInput(f"{where}: expected at most {LARGEST_EXPONENT} digits, found {text[:40]!r}")
    return number
