"""Pages of the shop: the list, an item, a new one, and what its owner and others do with it.

A bundle is read here, its signature and hashes checked; nothing of its code is parsed or run.
"""

from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dashboard.accounts.models import User
from dashboard.community.acts import PERSON, record_act
from dashboard.gateway.bundle_requests import BundleRequest, read_requests, read_verdicts
from dashboard.gateway.reading import is_text, parse_whole, snapshot
from dashboard.messaging.threads import admins
from dashboard.shop.credits import credits_of
from dashboard.shop.forms import ReasonForm, UploadForm
from dashboard.shop.models import (
    DRAFT,
    PUBLISHED,
    WITHDRAWN,
    Grant,
    Item,
    Report,
    may_moderate,
    open_reports,
    visible_items,
)
from strades_pipelines.settings import settings

SHOWN_ITEMS, SHOWN_REQUESTS, SHOWN_REPORTS, MOST_ITEMS = 25, 10, 50, 100
LARGEST_ID = 2**63 - 1
REFRESH_SECONDS = 3


def person_of(request: HttpRequest) -> User:
    """Who is signed in."""
    assert isinstance(request.user, User)
    return request.user


def name_of(person: User) -> str:
    """What requests call a person: by the number, which an erasure leaves."""
    return f"{PERSON}{person.pk}"


def _with_names(requests: list[BundleRequest]) -> list[tuple[BundleRequest, str]]:
    """Each request with the name that its person has now. One query."""
    numbers = {one.requested_by.removeprefix(PERSON) for one in requests}
    people = User.objects.filter(pk__in=[int(number) for number in numbers if number.isdecimal()])
    names = {f"{PERSON}{number}": name for number, name in people.values_list("pk", "pseudo")}
    return [(one, names.get(one.requested_by, _("somebody"))) for one in requests]


def seen_item(request: HttpRequest, item_id: int) -> Item:
    """An item that the person may know of.

    Raises:
        Http404: there is none, or none for this person.
    """
    # A larger number is no bigint, and the id of nothing.
    known = Item.objects.select_related("owner").filter(pk=min(item_id, LARGEST_ID))
    found: Item | None = known.first()
    if found is None or not found.is_seen_by(person_of(request)):
        raise Http404
    return found


def own_item(request: HttpRequest, item_id: int) -> Item:
    """An item of the person's own.

    Raises:
        Http404: there is none.
    """
    found = seen_item(request, item_id)
    if found.owner_id != person_of(request).pk:
        raise Http404
    return found


@require_safe
def shop(request: HttpRequest) -> HttpResponse:
    """Items, newest first, page by page, by a part of the name."""
    words, page = request.GET.get("words", "")[:40], parse_whole(request.GET.get("page", ""), 10_000) or 1
    found = visible_items(person_of(request))
    if words and is_text(words):
        found = found.filter(name__icontains=words)
    first = (page - 1) * SHOWN_ITEMS
    items = list(found[first : first + SHOWN_ITEMS + 1])
    with snapshot():
        verdicts = read_verdicts(item.sha256 for item in items)
    context = {
        "rows": [(item, item.said, verdicts.get(item.sha256, "unverified")) for item in items[:SHOWN_ITEMS]],
        "words": words,
        "page": page,
        "credits": credits_of(person_of(request)),
        "reports": open_reports(person_of(request))[:SHOWN_REPORTS],
        "next_page": page + 1 if len(items) > SHOWN_ITEMS else None,
    }
    return render(request, "shop/shop.html", context)


@require_safe
def item(request: HttpRequest, item_id: int) -> HttpResponse:
    """An item: what its author says, what it asks for, who verified it; the page looks again while a request waits."""
    found, person = seen_item(request, item_id), person_of(request)
    is_owner = found.owner_id == person.pk
    with snapshot():
        requests = read_requests(found.sha256, by=name_of(person), most=SHOWN_REQUESTS)
        verdict = read_verdicts([found.sha256]).get(found.sha256, "unverified")
    context = {
        "item": found,
        "said": found.said,
        "verdict": verdict,
        "requests": _with_names(requests),
        "is_owner": is_owner,
        "is_held": found.is_held_by(person),
        "grant": Grant.objects.filter(item=found, person=person).first(),
        "asked": Grant.objects.filter(item=found).select_related("person")[:100] if is_owner else [],
        "reports": Report.objects.filter(item=found).select_related("person")[:100] if may_moderate(person) else [],
        "key": uuid4(),
        "credits": credits_of(person) if found.price else 0,
    }
    response = render(request, "shop/item.html", context)
    if any(one.outcome is None for one in requests):
        response["Refresh"] = str(REFRESH_SECONDS)
    return response


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Put a bundle into the shop, as a draft."""
    form = UploadForm(request.POST or None, request.FILES or None, initial={"key": uuid4(), "way": "free"})
    if request.method == "POST" and form.is_valid():
        made = _save_draft(person_of(request), form)
        if made is not None:
            return redirect("shop_item", made.pk)
    status = 400 if form.is_bound else 200
    return render(request, "shop/new.html", {"form": form}, status=status)


def _save_draft(person: User, form: UploadForm) -> Item | None:
    """The item of a form; None, with a word in the form, where it cannot be one."""
    key, bundle = form.cleaned_data["key"], form.bundle
    # The same form again is the same item.
    before: Item | None = Item.objects.filter(key=key, owner=person, sha256=bundle.sha256).first()
    if before is not None:
        return before
    if Item.objects.filter(owner=person).count() >= MOST_ITEMS:
        form.add_error(None, _("You have %(most)d items; more are not kept.") % {"most": MOST_ITEMS})
        return None
    manifest = bundle.manifest
    row = Item(
        key=key,
        owner=person,
        name=manifest.name,
        version=manifest.version,
        author_key=manifest.author_key,
        sha256=bundle.sha256,
        body=bundle.body,
        manifest=manifest.encoded().decode(),
        way=form.cleaned_data["way"],
        price=form.cleaned_data["price"] or 0,
        uploaded_at=settings().now(),
    )
    try:
        record_act(row, "item_uploaded", by=person, value={"sha256": row.sha256})
    except IntegrityError:
        form.add_error(None, _("This version of this author is in the shop already: give it another version."))
        return None
    return row


@require_POST
def state(request: HttpRequest, item_id: int) -> HttpResponse:
    """Publish or withdraw an item of one's own."""
    found, to = own_item(request, item_id), request.POST.get("state")
    allowed = {PUBLISHED: (DRAFT, WITHDRAWN), WITHDRAWN: (PUBLISHED,)}
    if to not in allowed:
        raise Http404
    with transaction.atomic():
        # Two tabs may send it at once: one waits, and finds it done.
        locked = Item.objects.select_for_update().get(pk=found.pk)
        if locked.state in allowed[to]:
            locked.state = to
            locked.published_at = settings().now() if to == PUBLISHED else locked.published_at
            kind = "item_published" if to == PUBLISHED else "item_withdrawn"
            record_act(locked, kind, by=person_of(request), value={"sha256": locked.sha256})
    messages.success(request, _("Published.") if to == PUBLISHED else _("Withdrawn: who has it keeps it."))
    return redirect("shop_item", item_id)


@require_http_methods(["GET", "HEAD", "POST"])
def report(request: HttpRequest, item_id: int) -> HttpResponse:
    """Tell the admins of an item."""
    found, person = seen_item(request, item_id), person_of(request)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            row = Report.objects.filter(item=found, person=person).first() or Report(item=found, person=person)
            row.reason, row.reported_at = form.cleaned_data["reason"], settings().now()
            record_act(row, "item_reported", by=person, readers=admins(), value={"item": found.pk})
        messages.success(request, _("The admins see your report."))
        return redirect("shop_item", item_id)
    context: dict[str, Any] = {"form": form, "item": found, "is_report": True}
    return render(request, "shop/reason.html", context, status=400 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def hide(request: HttpRequest, item_id: int) -> HttpResponse:
    """Hide an item from all but its owner and admins, with a reason, or show it again."""
    found, person = seen_item(request, item_id), person_of(request)
    form = ReasonForm(request.POST or None)
    is_shown_again = request.method == "POST" and "show" in request.POST
    if is_shown_again or (request.method == "POST" and form.is_valid()):
        found.hidden_because = "" if is_shown_again else form.cleaned_data["reason"]
        kind = "item_shown" if is_shown_again else "item_hidden"
        record_act(found, kind, by=person, readers=[found.owner_id], value={"item": found.pk})
        return redirect("shop_item", item_id)
    context: dict[str, Any] = {"form": form, "item": found, "is_report": False}
    return render(request, "shop/reason.html", context, status=400 if form.is_bound else 200)


def has_bundle(request: HttpRequest, item_id: int) -> Item:
    """An item whose bundle the person has.

    Raises:
        Http404: there is none, or it was not given to this person.
    """
    found = seen_item(request, item_id)
    if not found.is_held_by(person_of(request)):
        raise Http404
    return found
