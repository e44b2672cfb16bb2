"""Filters and tags of every template. What is missing is a dash with its reason, never a zero."""

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from django import template
from django.conf import settings as django_settings
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from dashboard.accounts.passkeys import address_for_passkeys
from dashboard.accounts.provider import PROVIDER
from dashboard.core import numbers
from dashboard.core.live import SECONDS, LivePart
from dashboard.core.words import word_of
from strades_pipelines.market.rounding import exact

register = template.Library()


def absent(reason: str) -> SafeString:
    """A dash that says why there is nothing."""
    return format_html('<span class="absent" title="{}">— <small>{}</small></span>', reason, reason)


def _decimal(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else exact(float(value))


register.filter("word", word_of)


@register.simple_block_tag(takes_context=True)
def live(context: template.Context, content: str, news: str = "") -> SafeString:
    """The part of a page that the browser reads again (`core/live.py`); it may hold no form, whose token would change.

    Args:
        news: what a screen reader is told when it changes.
    """
    frame = "".join(render_to_string(f"partials/{name}.html", context.flatten()) for name in ("band", "halts_chip"))
    # The templates have escaped both.
    part = context["request"].live_part = LivePart(mark_safe(content), news, mark_safe(frame))
    return render_to_string("partials/live.html", {"element": part.element, "seconds": SECONDS})


@register.simple_tag
def money(value: Any, currency: str, *, signed: bool = False, reason: str = "") -> SafeString:
    """An amount with its currency; its full value is in the title."""
    if value is None:
        return absent(reason or _("not known"))
    exactly = _decimal(value)
    return format_html(
        '<span class="num{}" title="{}">{}{}</span>',
        _tone(exactly) if signed else "",
        f"{exactly} {currency}",
        _arrow(exactly) if signed else "",
        numbers.money_text(exactly, currency, signed=signed),
    )


@register.simple_tag
def quantity(value: Any, reason: str = "", digits: int | None = None) -> SafeString:
    """Units or a price, with all digits; of what was worked out, such as a mean, the first `digits` that count."""
    if value is None:
        return absent(reason or _("not known"))
    if digits is not None:
        value = numbers.significant(_decimal(value), digits)
    return format_html('<span class="num">{}</span>', numbers.plain_text(_decimal(value)))


@register.simple_tag
def percent(value: float | None, *, signed: bool = True, unit: str = "%", reason: str = "") -> SafeString:
    """A fraction as a percentage, with sign and arrow."""
    # A template gives "" for an attribute of what is None.
    text = numbers.percent_text(value, signed=signed, unit=unit) if isinstance(value, float | int) else None
    if value is None or text is None:
        return absent(reason or _("not known"))
    if not signed:
        return format_html('<span class="num">{}</span>', text)
    exactly = exact(value)
    return format_html('<span class="num{}">{}{}</span>', _tone(exactly), _arrow(exactly), text)


@register.simple_tag
def ratio(value: float | None, reason: str = "") -> SafeString:
    """A ratio without a unit, to two places."""
    if not isinstance(value, float | int) or not numbers.is_finite(value):
        return absent(reason or _("not known"))
    return format_html('<span class="num">{}</span>', numbers.decimal_text(exact(value), 2))


@register.simple_tag
def at(value: datetime | None, reason: str = "", *, seconds: bool = False) -> SafeString:
    """An instant with its zone; its ISO form is for machines."""
    if value is None:
        return absent(reason or _("never"))
    text = numbers.time_text(value, seconds=seconds)
    return format_html('<time datetime="{}">{}</time>', value.isoformat(), text)


@register.simple_tag(takes_context=True)
def clock(context: template.Context, value: datetime | None, reason: str = "") -> SafeString:
    """An instant in a list that says the zone once."""
    if value is None:
        return absent(reason or _("never"))
    full = numbers.time_text(value)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', value.isoformat(), full, numbers.clock_text(value, context["now"])
    )


@register.simple_tag
def cell(value: Any) -> SafeString | str:
    """A value of any column, as a table of columns shows it."""
    if isinstance(value, datetime):
        return at(value)
    if isinstance(value, dict | list):
        return format_html("<code>{}</code>", json.dumps(value, default=str, ensure_ascii=False, sort_keys=True))
    if isinstance(value, Decimal):
        return quantity(value)
    return str(value)


@register.simple_tag
def value_cell(value: Any) -> SafeString | str:
    """A value of any column as it stands in the database, NULL and what is no number among them."""
    if value is None:
        return absent(_("no value"))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal) and not value.is_finite():
        return str(value)
    return cell(value)


@register.simple_tag
def row_key(*values: Any) -> str:
    """The key of a row of the data manager, as its address has it."""
    texts = [value.isoformat() if isinstance(value, datetime) else str(value) for value in values]
    return quote(json.dumps(texts), safe="")


@register.simple_tag
def absence(reason: str) -> SafeString:
    """A dash with its reason, in the language of the page."""
    return absent(reason)


@register.simple_tag(takes_context=True)
def ago(context: template.Context, value: datetime | None) -> str:
    """How long before the page's clock."""
    return "" if value is None else str(_("%(age)s ago") % {"age": numbers.age_text(context["now"] - value)})


@register.simple_tag(takes_context=True)
def due(context: template.Context, value: datetime) -> str:
    """How long after the page's clock."""
    return str(_("in %(age)s") % {"age": numbers.age_text(value - context["now"])})


@register.simple_tag(takes_context=True)
def passkey_address(context: template.Context) -> str:
    """Where this page has to be opened for passkeys, or nothing."""
    return address_for_passkeys(context["request"])


@register.simple_tag
def openid_name() -> str:
    """The name of the provider through which one may sign in, or nothing."""
    apps = django_settings.SOCIALACCOUNT_PROVIDERS.get(PROVIDER, {}).get("APPS", [])
    return str(apps[0]["name"]) if apps else ""


@register.filter
def duration(value: timedelta | None) -> str:
    """A length of time."""
    return "—" if value is None else numbers.age_text(value)


@register.filter
def filesize(value: int | None) -> str:
    """A size in bytes."""
    return "—" if value is None else numbers.bytes_text(value)


@register.filter
def whole(value: int) -> str:
    """A whole number with the separators of the language."""
    return numbers.decimal_text(Decimal(value), 0)


def _tone(value: Decimal) -> str:
    return " gain" if value > 0 else " loss" if value < 0 else ""


def _arrow(value: Decimal) -> str:
    return "▲ " if value > 0 else "▼ " if value < 0 else ""
