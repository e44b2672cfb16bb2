"""Pages of a wallet's history: the calendar of a year, and a day with the prices, forecasts and orders of that day."""

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

SHOWN_EVENTS, SHOWN_NEWS, SHOWN_PREDICTIONS = 50, 20, 50


@require_safe
def calendar(request: HttpRequest) -> HttpResponse:
    """A year of one wallet, day by day.

    The query parameters `wallet` and `year` default to the first wallet with results and to its newest year.
    """
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
    measured = next((wallet for wallet in wallets if wallet.wallet == name or not name), None)
    if name and measured is None:  # a wallet without results has an empty calendar, an unknown one no page
        opened_wallet = None if "\0" in name else read_setting(name)
        if opened_wallet is None:
            raise Http404
    return measured


def _year(text: str, wallet: MeasuredWallet) -> int:
    """The year of the query parameter, by default the newest in which the wallet was measured.

    Raises:
        Http404: not a year in which the wallet was measured.
    """
    if not text:
        return wallet.last_at.astimezone(UTC).year
    year = int(text) if text.isascii() and text.isdigit() and len(text) == 4 else 0
    if not wallet.first_at.astimezone(UTC).year <= year <= wallet.last_at.astimezone(UTC).year:
        raise Http404
    return year


@require_safe
def day(request: HttpRequest, day: str) -> HttpResponse:
    """A UTC day of one wallet; the query parameter `after` pages through its decisions, orders and fills."""
    now = settings().now()
    try:
        chosen_day = date.fromisoformat(day)
    except ValueError:
        raise Http404 from None
    text = request.GET.get("after", "")
    after = parse_entry_place(text)
    # `fromisoformat` takes 20241105, too: a day has one address.
    if day != chosen_day.isoformat() or not date(1900, 1, 2) <= chosen_day <= now.date() or (text and after is None):
        raise Http404
    start, end = gateway.day_bounds(chosen_day, now=now)
    name = request.GET.get("wallet", "")
    with snapshot():
        if not name:
            name = next((wallet.wallet for wallet in gateway.read_measured_wallets()), "")
        wallet = None if "\0" in name else read_setting(name)
        if wallet is None:
            raise Http404
        installation = installation_of(request)
        has_bars = wallet.interval != "1d" or installation.has_daily_bars
        prices = gateway.read_known_prices(name, wallet.interval, start, end) if has_bars else []
        ids = [price.listing_id for price in prices]
        news = gateway.read_known_news(ids, start, end, most=SHOWN_NEWS) if installation.has_news else []
        predictions = gateway.read_predictions(ids, start, end, most=SHOWN_PREDICTIONS)
        events = gateway.read_trading_events(name, start, end, after=after, most=SHOWN_EVENTS + 1)
        values = gateway.read_day_values(name, chosen_day, chosen_day)
        parity = read_parity(name, chosen_day)
    next_page = {"wallet": name, "after": events[SHOWN_EVENTS - 1].place} if len(events) > SHOWN_EVENTS else None
    context = {
        "wallet": wallet,
        "day": chosen_day,
        "before": chosen_day - gateway.DAY,
        "next": chosen_day + gateway.DAY if chosen_day < now.date() else None,
        "as_of": end,
        "as_of_text": end.astimezone(UTC).strftime("%Y-%m-%dT%H:%M"),
        "result": results_by_day(values).get(chosen_day),
        "prices": prices,
        "news": news,
        "predictions": predictions,
        "events": events[:SHOWN_EVENTS],
        "next_page": urlencode(next_page) if next_page else "",
        "parity": next(iter(parity), None),
        "command": f"strades run --from {chosen_day} --to {chosen_day + gateway.DAY}",
    }
    return render(request, "historic/day.html", context)
