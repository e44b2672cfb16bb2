"""Notations: the list of all, and the form to write, change or take back one's own."""

from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from dashboard.accounts.models import User
from dashboard.gateway.reading import parse_whole, snapshot
from dashboard.gateway.records import read_label
from dashboard.notations.forms import NotationForm
from dashboard.notations.models import (
    RATINGS,
    Notation,
    Remark,
    VersionConflict,
    newest_of,
    newest_versions,
    save_version,
    versions_of,
)
from dashboard.notations.subjects import KINDS, Subject
from dashboard.overall_data.clock import read_text
from strades_pipelines.settings import settings

SHOWN, SHOWN_VERSIONS = 50, 50
LARGEST_ID = 2**63 - 1
# What is said of a wallet, decision or order is shown to who sees that: row security hides the others (SQL 0082).
VISIBLE = """
    CASE notations.kind
        WHEN 'wallet' THEN NOT trading.owned_name(notations.subject) = ANY((SELECT trading.hidden_wallets())::text[])
        WHEN 'decision' THEN EXISTS (SELECT FROM signals.decisions AS d WHERE d.decision_id = notations.subject)
        WHEN 'order' THEN EXISTS (SELECT FROM trading.intents AS i WHERE i.intent_id = notations.subject)
        ELSE true
    END
"""


@require_safe
def notations(request: HttpRequest) -> HttpResponse:
    """What everybody says of any record, newest first; filters and place stand in the address."""
    asked = read_text(request, "before")
    before = parse_whole(asked, LARGEST_ID)
    if asked and before is None:
        raise Http404
    wanted = {name: read_text(request, name) for name in ("kind", "tag", "author", "rating", "words", "history")}
    found = _filtered(wanted)
    if before is not None:
        found = found.filter(id__lt=before)
    rows = list(found.select_related("author").order_by("-id")[: SHOWN + 1])
    context = {
        "rows": rows[:SHOWN],
        "older": rows[SHOWN - 1].id if len(rows) > SHOWN else None,
        "before": before,
        "wanted": wanted,
        "is_filtered": any(wanted.values()),
        "kinds": KINDS.items(),
        "ratings": RATINGS,
    }
    return render(request, "notations/notations.html", context)


def _filtered(wanted: dict[str, str]) -> Any:
    # What was taken back is history.
    now = newest_versions().exclude(rating=None, tags=[], note="")
    found = (Notation.objects.all() if wanted["history"] else now).extra(where=[VISIBLE])
    if wanted["kind"]:
        found = found.filter(kind=wanted["kind"])
    if wanted["tag"]:
        found = found.filter(tags__contains=[wanted["tag"].lower()])
    if wanted["author"]:
        found = found.filter(author__pseudo=wanted["author"])
    if wanted["rating"] in map(str, RATINGS):
        found = found.filter(rating__gte=int(wanted["rating"]))
    if wanted["words"]:
        found = found.filter(Q(note__icontains=wanted["words"]) | Q(label__icontains=wanted["words"]))
    return found


@require_http_methods(["GET", "HEAD", "POST"])
def notation_write(request: HttpRequest) -> HttpResponse:
    """Say something of the record that the address names, or take back what one said."""
    assert isinstance(request.user, User)
    subject = Subject(read_text(request, "kind"), read_text(request, "key"))
    with snapshot():
        label = read_label(subject.kind, subject.key)
    if label is None:
        raise Http404
    newest = newest_of(subject, request.user)
    form = NotationForm(request.POST if request.method == "POST" else None, initial=_initial(newest))
    status, is_conflict = 200, False
    if form.is_bound:
        status = 400
        if form.is_valid():
            try:
                if _save(request, subject, form, label=label):
                    return redirect(subject.url)
            except VersionConflict:
                status, is_conflict = 409, True
                newest = newest_of(subject, request.user)
                form = _again(form, newest)
    context = {
        "form": form,
        "subject": subject,
        "label": label,
        "newest": newest,
        "is_conflict": is_conflict,
        "versions": versions_of(subject)[:SHOWN_VERSIONS],
    }
    return render(request, "notations/write.html", context, status=status)


def _initial(newest: Notation | None) -> dict[str, Any]:
    """What the form shows at first: the version that counts."""
    said = {"key": uuid4(), "base": newest.version if newest else 0}
    if newest is None:
        return said
    return said | {"rating": newest.rating, "tags": ", ".join(newest.tags), "note": newest.note}


def _again(form: NotationForm, newest: Notation | None) -> NotationForm:
    """The form as it was filled in, to be sent on top of the version that counts now."""
    filled = {name: form.data.get(name, "") for name in ("rating", "tags", "note")}
    return NotationForm(initial=_initial(newest) | filled)


def _save(request: HttpRequest, subject: Subject, form: NotationForm, *, label: str) -> bool:
    """Save what a valid form says; where that is nothing, say so in the form and return False."""
    given = form.cleaned_data
    remark = Remark() if "take_back" in request.POST else form.remark
    if remark.is_empty and ("take_back" not in request.POST or given["base"] == 0):
        form.add_error(None, _("Say something: a rating, a tag or a note. To take back what you said, use the button."))
        return False
    save_version(
        subject,
        remark,
        label=label,
        author=request.user,
        base=given["base"],
        key=given["key"],
        at=settings().now(),
    )
    messages.success(request, _("Taken back.") if remark.is_empty else _("Saved."))
    return True
