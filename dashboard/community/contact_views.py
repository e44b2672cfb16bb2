"""Contacts: requests, the directory, blocks, vCard files."""

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from dashboard.accounts.models import User
from dashboard.bad_files import FileRefused
from dashboard.community.contacts import (
    Refused,
    answer_request,
    block,
    contacts_of,
    directory,
    listed_people,
    open_requests,
    remove_contact,
    request_contact,
    unblock,
)
from dashboard.community.forms import FileForm
from dashboard.community.models import Block, Contact
from dashboard.community.vcards import read_cards, write_cards
from dashboard.gateway.reading import parse_whole
from dashboard.meetings.planning import people_of_meetings
from dashboard.messaging.threads import people_of_threads
from dashboard.overall_data.clock import read_text

LARGEST_ID = 2**63 - 1
MOST_FILE = 200_000  # bytes: 500 cards with pictures left out


@require_safe
def contacts(request: HttpRequest) -> HttpResponse:
    """Contacts, requests that wait, who wants to be found, and whom one blocks."""
    assert isinstance(request.user, User)
    return render(request, "community/contacts.html", _context(request, request.user))


def _context(request: HttpRequest, person: User) -> dict[str, object]:
    words = read_text(request, "words")[:100]
    known = contacts_of(person)
    waiting = open_requests(person)
    hidden = {one.pk for one in known} | {row.other(person).pk for row in waiting}
    return {
        "contacts": known,
        "requests": [(row, row.other(person), row.asked_by_id != person.pk) for row in waiting],
        "found": [one for one in directory(person, words) if one.pk not in hidden],
        "words": words,
        "blocks": Block.objects.filter(blocked_by=person, ended_at=None).select_related("blocked"),
        "form": FileForm(),
    }


@require_POST
def contact_act(request: HttpRequest) -> HttpResponse:
    """Do what the button says with the person of the form; one whom the page does not show does not exist."""
    assert isinstance(request.user, User)
    person, act = request.user, request.POST.get("act", "")
    number = parse_whole(request.POST.get("id", ""), LARGEST_ID)
    if act in ("accept", "decline") and number is not None:
        answer_request(person, number, accepts=act == "accept")
        return redirect("contacts")
    other = None if number is None else _target(person, act, number)
    if other is None:
        raise Http404
    try:
        {"request": request_contact, "remove": remove_contact, "block": block, "unblock": unblock}[act](person, other)
    except Refused:
        messages.error(request, _("That were too many requests for a day; ask again tomorrow."))
    return redirect("contacts")


def _target(person: User, act: str, number: int) -> User | None:
    """Whom an act may be about, of all that a page shows to the person; else None."""
    pairs = Contact.objects.filter(Q(asked_by=person) | Q(asked=person), ended_at=None)
    known = Q(pk__in=pairs.values("asked_by")) | Q(pk__in=pairs.values("asked"))
    listed = Q(pk__in=listed_people(person).values("pk"))
    allowed = {
        "unblock": lambda: Q(pk__in=Block.objects.filter(blocked_by=person, ended_at=None).values("blocked")),
        "request": lambda: listed,
        "remove": lambda: known,
        "block": lambda: known | listed | Q(pk__in=people_of_threads(person) | people_of_meetings(person)),
    }
    if act not in allowed:
        return None
    found: User | None = User.objects.exclude(pk=person.pk).filter(allowed[act](), pk=number).first()
    return found


@require_safe
def contact_cards(request: HttpRequest) -> HttpResponse:
    """One's contacts as a vCard file."""
    assert isinstance(request.user, User)
    response = HttpResponse(write_cards(contacts_of(request.user)), content_type="text/vcard; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="contacts.vcf"'
    return response


@require_POST
def contact_cards_read(request: HttpRequest) -> HttpResponse:
    """Find the people of a vCard file among those who want to be found; nobody is asked, and the file is not kept."""
    assert isinstance(request.user, User)
    form = FileForm(request.POST, request.FILES)
    context = _context(request, request.user)
    status = 400
    if form.is_valid() and form.cleaned_data["file"].size <= MOST_FILE:
        try:
            cards = read_cards(form.cleaned_data["file"].read())
            names = {name.casefold() for card in cards for name in card.names}
            context["found"] = [one for one in directory(request.user) if one.pseudo.casefold() in names]
            context["cards"], status = len(cards), 200
        except FileRefused:
            form.add_error("file", _("This is no vCard file of at most 500 cards."))
    else:
        form.add_error("file", _("This is no vCard file of at most 500 cards."))
    context["form"] = form if status == 400 else FileForm()
    return render(request, "community/contacts.html", context, status=status)
