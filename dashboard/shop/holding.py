"""What people do with an item of somebody: ask for it, answer, save, verify and install the bundle."""

from contextlib import suppress
from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dashboard.community.acts import record_act, record_event
from dashboard.gateway import bundle_requests
from dashboard.shop import credits
from dashboard.shop.forms import CreditsForm, InstallForm, KeyForm
from dashboard.shop.models import CREDITS, DECLINED, FREE, GRANTED, PUBLISHED, REQUESTED, Credit, Grant, Item
from dashboard.shop.views import has_bundle, name_of, own_item, person_of, seen_item
from strades_pipelines.settings import settings

SHOWN_CREDITS = 50
KINDS = {"verify": "verification_requested", "install": "installation_requested"}


@require_POST
def ask(request: HttpRequest, item_id: int) -> HttpResponse:
    """Ask for an item; one that is free is given at once. Asked again, nothing changes."""
    found, person = seen_item(request, item_id), person_of(request)
    if found.state != PUBLISHED or found.hidden_because or found.owner_id == person.pk:
        raise Http404
    if Grant.objects.filter(item=found, person=person).exists():
        return redirect("shop_item", item_id)
    if found.way == CREDITS:
        return _buy(request, found)
    with suppress(IntegrityError):  # another tab asked at the same moment
        is_free, now = found.way == FREE, settings().now()
        row = Grant(item=found, person=person, asked_at=now, state=GRANTED if is_free else REQUESTED)
        row.answered_at = now if is_free else None
        kind = "item_granted" if is_free else "item_requested"
        record_act(row, kind, by=person, readers=[found.owner_id], value={"item": found.pk})
    return redirect("shop_item", item_id)


def _buy(request: HttpRequest, item: Item) -> HttpResponse:
    try:
        with suppress(IntegrityError):  # another tab bought it at the same moment
            credits.buy(item, person_of(request), at=settings().now())
    except credits.NotEnoughCredits:
        messages.error(request, _("You have fewer credits than it takes; an admin gives them."))
    return redirect("shop_item", item.pk)


@require_http_methods(["GET", "HEAD", "POST"])
def give_credits(request: HttpRequest) -> HttpResponse:
    """Give somebody credits; the newest rows of all."""
    form = CreditsForm(request.POST or None, initial={"key": uuid4()})
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        words = {name: given[name] for name in ("reason", "key")}
        credits.give(given["person"], given["amount"], by=person_of(request), at=settings().now(), **words)
        messages.success(request, _("Given."))
        return redirect("shop_credits")
    # The bytes of a bundle are not read for a list.
    rows = Credit.objects.select_related("person", "item").defer("item__body").order_by("-id")[:SHOWN_CREDITS]
    return render(request, "shop/credits.html", {"form": form, "rows": rows}, status=400 if form.is_bound else 200)


@require_POST
def answer(request: HttpRequest, item_id: int) -> HttpResponse:
    """Give an item of one's own to who asked for it, or not; the last word counts, but what was paid for stays."""
    found, verdict = own_item(request, item_id), request.POST.get("verdict")
    name = request.POST.get("person", "")
    row = Grant.objects.filter(item=found, person__pseudo=name).first() if "\0" not in name else None
    if row is None or verdict not in (GRANTED, DECLINED):
        raise Http404
    if found.way == CREDITS and row.state == GRANTED:  # it was paid for
        raise Http404
    row.state, row.answered_at = verdict, settings().now()
    kind = "item_granted" if verdict == GRANTED else "item_declined"
    record_act(row, kind, by=person_of(request), readers=[row.person_id], value={"item": found.pk})
    return redirect("shop_item", item_id)


@require_safe
def bundle(request: HttpRequest, item_id: int) -> HttpResponse:
    """The bundle as a file to save."""
    found = has_bundle(request, item_id)
    response = HttpResponse(bytes(found.body), content_type="application/octet-stream")
    response["Content-Disposition"] = f'attachment; filename="{found.name}-{found.version}.zip"'
    return response


@require_POST
def verify(request: HttpRequest, item_id: int) -> HttpResponse:
    """Ask for an item to be run again and compared."""
    found, form = has_bundle(request, item_id), KeyForm(request.POST)
    if not form.is_valid():
        raise Http404
    return _ask(request, found, "verify", form)


@require_http_methods(["GET", "HEAD", "POST"])
def install(request: HttpRequest, item_id: int) -> HttpResponse:
    """Say what an item asks for, and ask for it to be installed once that is read."""
    found = has_bundle(request, item_id)
    form = InstallForm(request.POST or None, initial={"key": uuid4()})
    if request.method == "POST" and form.is_valid():
        return _ask(request, found, "install", form)
    context: dict[str, Any] = {"form": form, "item": found, "said": found.said, "world": settings().world}
    return render(request, "shop/install.html", context, status=400 if form.is_bound else 200)


def _ask(request: HttpRequest, item: Item, kind: str, form: KeyForm) -> HttpResponse:
    person, key = person_of(request), form.cleaned_data["key"]
    with transaction.atomic():
        asked = bundle_requests.ask(
            kind, key=key, sha256=item.sha256, body=bytes(item.body), by=name_of(person), at=settings().now()
        )
        if asked == "new":
            readers, value = [item.owner_id], {"item": item.pk}
            record_event(f"bundle_requests/{key}", KINDS[kind], by=person, readers=readers, value=value)
    if asked == "too many":
        most = bundle_requests.MOST_AN_HOUR
        messages.error(request, _("Not asked for: a person asks for %(most)d an hour at most.") % {"most": most})
    return redirect("shop_item", item.pk)
