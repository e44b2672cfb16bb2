"""The assets of the day: what there is to trade, and which of it each wallet may buy.

A form says what its boxes were made from: the listings that it showed and the version of each wallet's choice. So what
another page or a filter hides stays as it is, and of two tabs the later one is told what has changed meanwhile.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from urllib.parse import urlencode
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from django.views.decorators.http import require_POST, require_safe

from dashboard.accounts.models import User
from dashboard.choice.drafts import Base, compare, parse_boxes, parse_ids, parse_versions
from dashboard.core.frame import installation_of
from dashboard.gateway import assets as gateway
from dashboard.gateway.assets import Asset
from dashboard.gateway.choices import (
    Choice,
    ChoosingWallet,
    NewVersion,
    add_versions,
    read_choices,
    read_choices_before,
    read_choosing_wallets,
    read_saved,
    read_versions,
)
from dashboard.gateway.reading import snapshot
from dashboard.gateway.sources import SourceHealth, read_sources
from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.settings import settings

SHOWN_ASSETS, SHOWN_VERSIONS, LONGEST_TEXT = 100, 30, 100
DAYS_AHEAD = timedelta(days=31)
FIRST_DAY = date(2000, 1, 1)
CONFLICT = gettext_noop(
    "Nothing was saved: the choice of this day has changed since you opened the page; see the versions below. "
    "Your boxes are kept. Save again to put them in its place."
)


class ChoiceForm(forms.Form):
    """Why, and the key that makes the form one version however often it is sent; the boxes are read by `drafts`."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    reason = forms.CharField(
        label=gettext_lazy("Why"),
        max_length=300,
        help_text=gettext_lazy("Kept with your name and the time; everybody sees it."),
    )


@dataclass(frozen=True)
class Box:
    """A wallet that trades an asset: whether it may buy it, and whether a choice means anything to it."""

    wallet: str
    value: str
    is_checked: bool
    takes_choice: bool


@dataclass(frozen=True)
class AssetRow:
    """An asset with the health of its source and a box for each wallet that trades it."""

    asset: Asset
    source: SourceHealth | None
    boxes: list[Box]


@require_safe
def assets(request: HttpRequest) -> HttpResponse:
    """The assets of a day; `day`, `q`, `after` and `preset` stand in the address."""
    form = ChoiceForm(initial={"key": uuid4()})
    return _page(request, _day(request), form, {}, status=200)


@require_POST
def save(request: HttpRequest) -> HttpResponse:
    """Add a version for each wallet whose boxes were changed, all or none."""
    day = _day(request)
    form = ChoiceForm(request.POST)
    boxes, ids = parse_boxes(request.POST.getlist("chosen")), parse_ids(request.POST.get("shown", ""))
    versions = parse_versions(request.POST.getlist("version"))
    if not form.is_valid() or boxes is None or ids is None or versions is None:
        return _refused(request, day, boxes or {}, _("Nothing was saved: the form is not complete."), 400)
    key, reason = form.cleaned_data["key"], form.cleaned_data["reason"]
    assert isinstance(request.user, User)
    by = f"dashboard:{request.user.pseudo}"
    with snapshot():
        saved = {row.wallet: row for row in read_saved(key)}
        wallets, newest = read_choosing_wallets(), read_choices(day, now=settings().now())
        shown = gateway.read_instruments(ids)
    bases = {wallet.wallet: _base(wallet, newest.get(wallet.wallet)) for wallet in wallets if wallet.takes_choice}
    draft = compare(bases, versions, boxes, shown, _of_this_form(saved, day, by, reason, versions))
    if not draft.late and not draft.new and saved:
        return _saved(request, day)
    if not draft.late and not draft.new:
        return _refused(request, day, boxes, _("Nothing was saved: the boxes are as they were."), 400)
    if day < _today():
        return _refused(request, day, boxes, _("Nothing was saved: that day is over."), 400)
    late = draft.late or list(saved)
    if not late:
        new = [NewVersion(name, versions[name], chosen) for name, chosen in draft.new.items()]
        late = add_versions(day, new, by=by, at=settings().now(), reason=reason, key=key)
        late = [] if read_saved(key) else late  # the button was pressed twice: the other request has saved it
    return _refused(request, day, boxes, _(CONFLICT), 409) if late else _saved(request, day)


def _of_this_form(
    saved: Mapping[str, Choice], day: date, by: str, reason: str, versions: Mapping[str, int]
) -> dict[str, list[str]]:
    """What a form with this key has saved already, by wallet, where all but the boxes is as in the form."""
    return {
        name: row.instruments
        for name, row in saved.items()
        if (row.day, row.version - 1, row.chosen_by, row.reason) == (day, versions.get(name), by, reason)
    }


def _saved(request: HttpRequest, day: date) -> HttpResponse:
    messages.success(request, _("Saved. It counts from the next pass over the wallet on."))
    return redirect(f"{reverse('choice')}?{_address(request, day)}")


def _refused(request: HttpRequest, day: date, boxes: Mapping[str, set[int]], why: str, status: int) -> HttpResponse:
    """The page again with the boxes as they were sent; it is another form, which follows the newest version."""
    data = request.POST.copy()
    data["key"] = str(uuid4())
    form = ChoiceForm(data)
    form.add_error(None, why)
    return _page(request, day, form, boxes, status=status)


def _page(
    request: HttpRequest, day: date, form: ChoiceForm, boxes: Mapping[str, set[int]], *, status: int
) -> HttpResponse:
    """The page.

    Args:
        boxes: as a form has sent them, listings by wallet; they are shown again where the answer is an error.
    """
    now, (text, after) = settings().now(), _filter(request)
    preset = request.GET.get("preset", "")
    websites = load_sources(settings().sources).websites
    with snapshot():
        found = gateway.read_assets(
            day,
            now=now,
            text=text,
            after=after,
            most=SHOWN_ASSETS + 1,
            has_gaps=installation_of(request).has_gaps,
        )
        sources = read_sources(websites, now=now)
        wallets, newest = read_choosing_wallets(), read_choices(day, now=now)
        before = read_choices_before(day) if preset == "before" else {}
        versions = read_versions(day, most=SHOWN_VERSIONS)
    shown = found[:SHOWN_ASSETS]
    checked = {wallet.wallet: _preset(wallet, newest, before, preset) for wallet in wallets}
    if status != 200:
        ids = {asset.listing_id: asset.instrument for asset in shown}
        checked = {wallet: {ids[one] for one in boxes.get(wallet, set()) if one in ids} for wallet in checked}
    rows = [AssetRow(asset, gateway.source_of(asset, sources), _boxes(asset, wallets, checked)) for asset in shown]
    choosing = [wallet for wallet in wallets if wallet.takes_choice]
    context = {
        "day": day,
        "previous": day - timedelta(days=1),
        "next": day + timedelta(days=1),
        "has_next": day < _today() + DAYS_AHEAD,
        "is_today": day == _today(),
        "is_over": day < _today(),
        "text": text,
        "preset": preset,
        "form": form,
        "rows": rows,
        "is_open": bool(choosing) and day >= _today(),
        "shown": ",".join(str(asset.listing_id) for asset in shown),
        "bases": [f"{one.wallet}={newest[one.wallet].version if one.wallet in newest else 0}" for one in choosing],
        "deaf": [wallet.wallet for wallet in wallets if not wallet.takes_choice],
        "wallets": wallets,
        "without": [wallet.wallet for wallet in choosing if wallet.wallet not in newest],
        "versions": versions,
        "address": _address(request, day),
        "filter": urlencode({"day": day.isoformat(), "q": text}),
        "more": shown[-1].place if len(found) > SHOWN_ASSETS else "",
    }
    return render(request, "choice/assets.html", context, status=status)


def _boxes(asset: Asset, wallets: Sequence[ChoosingWallet], checked: Mapping[str, set[str]]) -> list[Box]:
    return [
        Box(
            wallet.wallet,
            f"{asset.listing_id}:{wallet.wallet}",
            asset.instrument in checked[wallet.wallet] or not wallet.takes_choice,
            wallet.takes_choice,
        )
        for wallet in wallets
        if asset.instrument in wallet.instruments
    ]


def _base(wallet: ChoosingWallet, newest: Choice | None) -> Base:
    """What a new version follows: the newest one, or all that the wallet lists."""
    chosen = wallet.instruments if newest is None else newest.instruments
    return Base(newest.version if newest else 0, sorted(chosen), frozenset(wallet.instruments))


def _preset(
    wallet: ChoosingWallet, newest: Mapping[str, Choice], before: Mapping[str, Choice], preset: str
) -> set[str]:
    """The instruments whose boxes are checked: of the newest version, or as the preset says."""
    if preset == "all":
        return set(wallet.instruments)
    if preset == "none":
        return set()
    choices = before if preset == "before" else newest
    found = choices.get(wallet.wallet)
    return set(wallet.instruments if found is None else found.instruments)


def _today() -> date:
    return settings().now().astimezone(UTC).date()


def _day(request: HttpRequest) -> date:
    """The day (UTC) that the address names, today without one.

    Raises:
        Http404: it names none, or one that nobody chooses for.
    """
    text = request.GET.get("day", "")
    try:
        found = date.fromisoformat(text) if text else _today()
    except ValueError:
        raise Http404 from None
    if not FIRST_DAY <= found <= _today() + DAYS_AHEAD:
        raise Http404
    return found


def _filter(request: HttpRequest) -> tuple[str, tuple[bool, str, str] | None]:
    """The text and the place in the address.

    Raises:
        Http404: for what no link of the page says.
    """
    text, place = request.GET.get("q", "").strip(), request.GET.get("after", "")
    after = gateway.parse_place(place)
    if "\0" in text or len(text) > LONGEST_TEXT or (place and after is None):
        raise Http404
    return text, after


def _address(request: HttpRequest, day: date) -> str:
    """The address of the same page again, without a preset."""
    kept = {"day": day.isoformat(), "q": request.GET.get("q", ""), "after": request.GET.get("after", "")}
    return urlencode({name: value for name, value in kept.items() if value})
