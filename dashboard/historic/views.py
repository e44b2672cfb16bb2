"""The calendar of a wallet's year, and one of its days with what was known then, predicted and done."""

from datetime import UTC, date
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboard.core.frame import installation_of
from dashboard.core.numbers import MONTHS_EN, MONTHS_FR, is_french
from dashboard.gateway import historic as gateway
from dashboard.gateway.agenda import parse_entry_place
from dashboard.gateway.historic import MeasuredWallet
from dashboard.gateway.performance import read_parity, read_setting
from dashboard.gateway.reading import snapshot
from dashboard.historic.year import STEPS, months_of, results_by_day
from strades_pipelines.settings import settings

SHOWN_ACTS, SHOWN_NEWS, SHOWN_PREDICTIONS = 50, 20, 50


@require_safe
def calendar(request: HttpRequest) -> HttpResponse:
    """A year of one wallet; `wallet` and `year` stand in the address, without them the newest year of the first one."""
    with snapshot():
        wallets = gateway.read_measured_wallets()
        wallet = _chosen(request, wallets)
        year, results = None, {}
        if wallet is not None:
            year = _year(request.GET.get("year", ""), wallet)
            results = results_by_day(gateway.read_day_values(wallet.wallet, date(year, 1, 1), date(year, 12, 31)))
    names = MONTHS_FR if is_french() else MONTHS_EN
    context = {
        "wallets": wallets,
        "wallet": wallet,
        "year": year,
        "years": range(wallet.first_at.year, wallet.last_at.year + 1) if wallet else (),
        "months": list(zip(names, months_of(year, results), strict=True)) if year else [],
        "days": range(1, 32),
        "has_results": bool(results),
        "steps": STEPS,
    }
    return render(request, "historic/calendar.html", context)


def _chosen(request: HttpRequest, wallets: list[MeasuredWallet]) -> MeasuredWallet | None:
    name = request.GET.get("wallet", "")
    found = next((wallet for wallet in wallets if wallet.wallet == name or not name), None)
    if name and found is None:
        with_setting = None if "\0" in name else read_setting(name)
        if with_setting is None:
            raise Http404
    return found


def _year(text: str, wallet: MeasuredWallet) -> int:
    """The year that the address names, by default the wallet's newest.

    Raises:
        Http404: it names none that the wallet was measured in.
    """
    if not text:
        return wallet.last_at.astimezone(UTC).year
    found = int(text) if text.isascii() and text.isdigit() and len(text) == 4 else 0
    if not wallet.first_at.astimezone(UTC).year <= found <= wallet.last_at.astimezone(UTC).year:
        raise Http404
    return found


@require_safe
def day(request: HttpRequest, day: str) -> HttpResponse:
    """A UTC day of one wallet; `after` in the address pages through what was done."""
    now = settings().now()
    try:
        found = date.fromisoformat(day)
    except ValueError:
        raise Http404 from None
    text = request.GET.get("after", "")
    after = parse_entry_place(text)
    if day != found.isoformat() or not date(1900, 1, 2) <= found <= now.date() or (text and after is None):
        raise Http404
    start, end = gateway.day_bounds(found, now=now)
    name = request.GET.get("wallet", "")
    with snapshot():
        if not name:
            name = next((wallet.wallet for wallet in gateway.read_measured_wallets()), "")
        wallet = None if "\0" in name else read_setting(name)
        if wallet is None:
            raise Http404
        installation = installation_of(request)
        has_bars = wallet.interval != "1d" or installation.has_daily_bars
        known = gateway.read_known(name, wallet.interval, start, end) if has_bars else []
        ids = [listing.listing_id for listing in known]
        news = gateway.read_known_news(ids, start, end, most=SHOWN_NEWS) if installation.has_news else []
        predictions = gateway.read_predictions(ids, start, end, most=SHOWN_PREDICTIONS)
        acts = gateway.read_acts(name, start, end, after=after, most=SHOWN_ACTS + 1)
        values = gateway.read_day_values(name, found, found)
        parity = read_parity(name, found)
    more = {"wallet": name, "after": acts[SHOWN_ACTS - 1].place} if len(acts) > SHOWN_ACTS else None
    context = {
        "wallet": wallet,
        "day": found,
        "before": found - gateway.DAY,
        "next": found + gateway.DAY if found < now.date() else None,
        "as_of": end,
        "as_of_text": end.astimezone(UTC).strftime("%Y-%m-%dT%H:%M"),
        "result": results_by_day(values).get(found),
        "known": known,
        "news": news,
        "predictions": predictions,
        "acts": acts[:SHOWN_ACTS],
        "more": urlencode(more) if more else "",
        "parity": next(iter(parity), None),
        "command": f"strades run --from {found} --to {found + gateway.DAY}",
    }
    return render(request, "historic/day.html", context)
