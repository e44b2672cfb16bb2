"""Numbers and times as text, in the language of the page: the only place that rounds.

A true minus (U+2212) and no sign on zero; English 1,234,567.89, French 1 234 567,89 with narrow no-break blanks
(U+202F), as browsers write it.
"""

from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from math import isfinite

from django.utils import timezone
from django.utils.translation import get_language, gettext, ngettext

MINUS, NARROW_BLANK = "\N{MINUS SIGN}", "\N{NARROW NO-BREAK SPACE}"
MONTHS_EN = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MONTHS_FR = ("janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc.")


def is_french() -> bool:
    """Whether the page is in French."""
    return (get_language() or "en").startswith("fr")


def decimal_text(value: Decimal, places: int, *, signed: bool = False) -> str:
    """A decimal rounded half to even to `places`, with the separators of the language.

    Args:
        signed: with a plus where it is above zero.
    """
    try:
        rounded = value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
    except InvalidOperation:  # more digits than the context has: too large to be rounded, shown as it is
        rounded = value
    text = f"{abs(rounded):,f}"
    if is_french():
        text = text.replace(",", NARROW_BLANK).replace(".", ",")
    if not rounded:
        return text
    return (MINUS if rounded < 0 else "+" if signed else "") + text


def plain_text(value: Decimal) -> str:
    """A decimal with all of its digits and no zeros at the end."""
    normal = value.normalize()
    exponent = normal.as_tuple().exponent
    places = -exponent if isinstance(exponent, int) and exponent < 0 else 0
    return decimal_text(value, places)


def significant(value: Decimal, digits: int) -> Decimal:
    """A decimal rounded half to even to its first `digits` that count."""
    return Context(prec=digits, rounding=ROUND_HALF_EVEN).plus(value)


def short_text(value: float) -> str:
    """A number to three digits for where there is little room: `1.23 M`, `950 k`, `12.3`."""
    for unit, factor in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= factor:
            return f"{_three_digits(value / factor)}\N{NO-BREAK SPACE}{unit}"
    return _three_digits(value)


def _three_digits(value: float) -> str:
    places = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    # By its shortest text: a Decimal of the float has the digits of its binary fraction.
    return decimal_text(Decimal(repr(value)), places)


def money_text(value: Decimal, currency: str, *, signed: bool = False) -> str:
    """An amount with its currency, to two places."""
    return f"{decimal_text(value, 2, signed=signed)}\N{NO-BREAK SPACE}{currency}"


def is_finite(value: float) -> bool:
    """Whether a number is one that a double can have: a whole number of Python has no bound."""
    try:
        return isfinite(value)
    except OverflowError:
        return False


def percent_text(fraction: float, *, signed: bool = False, unit: str = "%") -> str | None:
    """A fraction as a percentage to two places; None for what is no number."""
    if not is_finite(fraction):
        return None
    return f"{decimal_text(Decimal(repr(fraction)) * 100, 2, signed=signed)}\N{NO-BREAK SPACE}{unit}"


def time_text(at: datetime, *, seconds: bool = False) -> str:
    """An instant in the zone of the page, with the zone: `22 Nov 2026 14:05 UTC`, `22 nov. 2026 14:05 UTC`."""
    local = timezone.localtime(at)
    month = (MONTHS_FR if is_french() else MONTHS_EN)[local.month - 1]
    return f"{local.day} {month} {local:{'%Y %H:%M:%S' if seconds else '%Y %H:%M'}} {local.tzname()}"


def clock_text(at: datetime, now: datetime | None = None) -> str:
    """An instant for lists that say the zone once: `22 Nov 14:05`; with its year where that is not the one of `now`."""
    local = timezone.localtime(at)
    month = (MONTHS_FR if is_french() else MONTHS_EN)[local.month - 1]
    is_this_year = now is not None and timezone.localtime(now).year == local.year
    return f"{local.day} {month} {local:%H:%M}" if is_this_year else f"{local.day} {month} {local:%Y %H:%M}"


def age_text(age: timedelta) -> str:
    """How long ago, or how long until, to the largest unit: `4 min`, `3 h`, `2 days`."""
    seconds = int(abs(age).total_seconds())
    if seconds < 90:
        return str(gettext("%(count)d s") % {"count": seconds})
    if seconds < 90 * 60:
        return str(gettext("%(count)d min") % {"count": round(seconds / 60)})
    if seconds < 36 * 3600:
        return str(gettext("%(count)d h") % {"count": round(seconds / 3600)})
    days = round(seconds / 86_400)
    return str(ngettext("%(count)d day", "%(count)d days", days) % {"count": days})


def bytes_text(size: int) -> str:
    """A size in bytes, kB or MB."""
    for unit, factor in (("MB", 1_000_000), ("kB", 1_000)):
        if size >= factor:
            return f"{decimal_text(Decimal(size) / factor, 1)}\N{NO-BREAK SPACE}{unit}"
    return f"{size}\N{NO-BREAK SPACE}B"
