"""Organizations: one's own, one of them with its members, invitations and notes, and the page of an invitation."""

from collections.abc import Callable
from uuid import uuid4

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dashboard.accounts.models import User
from dashboard.community.contacts import Refused, blocked_people
from dashboard.community.forms import MemberRoleForm, NoteForm, OrganizationForm
from dashboard.community.models import (
    LEVELS,
    ROLES,
    Level,
    Member,
    MemberRole,
    OrganizationNote,
    WalletOwner,
    WalletShare,
)
from dashboard.community.organizations import (
    change_member,
    create_organization,
    invite,
    join,
    membership,
    open_invitation,
    open_invitations,
    organizations_of,
    revoke_invitation,
    share_note,
)
from dashboard.gateway.reading import parse_whole

LARGEST_ID = 2**63 - 1
SHOWN_NOTES = 30
LINK = "member_link"  # key of the session that holds a new invitation until it is shown once


def reason(code: str) -> str:
    """Why something was refused, in the language of the page."""
    words: dict[str, str] = {
        "name": _("An organization of this name exists."),
        "most": _("That are as many as there may be."),
        "right": _("Your role does not allow it."),
        "last": _("An organization keeps an owner: make somebody else one first."),
        "edit": _("A message of yours can be changed for 15 minutes, at most 20 times, while it is shown."),
        "reach": _("Share with contacts of yours, and organizations that you are in."),
    }
    return words[code]


@require_http_methods(["GET", "HEAD", "POST"])
def organizations(request: HttpRequest) -> HttpResponse:
    """One's organizations, and the form for a new one."""
    assert isinstance(request.user, User)
    form = OrganizationForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            made = create_organization(request.user, form.cleaned_data["name"])
            return redirect("organization", made.pk)
        except Refused as refused:
            form.add_error("name", reason(str(refused)))
    context = {"form": form, "memberships": organizations_of(request.user)}
    return render(request, "community/organizations.html", context, status=400 if form.is_bound else 200)


@require_safe
def organization(request: HttpRequest, organization_id: int) -> HttpResponse:
    """One organization, for its members; for others there is none."""
    member = _member(request, organization_id)
    own, hidden = member.organization, blocked_people(member.person)
    is_owner = member.role == MemberRole.OWNER
    members = own.members.filter(ended_at=None).select_related("person").order_by("person__pseudo")
    notes = (
        OrganizationNote.objects.filter(organization=own)
        .exclude(author__in=hidden)
        .select_related("author")
        .order_by("-written_at", "-id")
    )
    wallets = WalletOwner.objects.filter(organization=own, ended_at=None)
    shares = WalletShare.objects.filter(organization=own, ended_at=None, owner__ended_at=None)
    context = {
        "organization": own,
        "member": member,
        "is_owner": is_owner,
        "may_write": member.role != MemberRole.VIEWER,
        "members": members if is_owner else members.exclude(person__in=hidden),  # an owner goes on to manage them
        "invitations": (own.invitations.exclude(used_at=None) | open_invitations(own))
        .exclude(used_by__in=[] if is_owner else hidden)
        .select_related("used_by", "created_by")
        .order_by("-created_at")[:20],
        "notes": notes[:SHOWN_NOTES],
        "wallets": [(row.wallet, None) for row in wallets]
        + [(row.owner.wallet, LEVELS[Level(row.level)]) for row in shares.select_related("owner")],
        "roles": ROLES.items(),
        "note_form": NoteForm(initial={"key": uuid4()}),
        "link": request.session.pop(LINK, None),
    }
    return render(request, "community/organization.html", context)


@require_POST
def organization_act(request: HttpRequest, organization_id: int) -> HttpResponse:
    """Do what the button says in an organization of one's own."""
    member = _member(request, organization_id)
    act = _ACTS.get(request.POST.get("act", ""))
    if act is None:
        raise Http404
    try:
        act(request, member)
    except Refused as refused:
        messages.error(request, reason(str(refused)))
    # Who has left sees it no more.
    if membership(member.person, organization_id) is None:
        return redirect("organizations")
    return redirect("organization", organization_id)


def _member(request: HttpRequest, organization_id: int) -> Member:
    assert isinstance(request.user, User)
    found = membership(request.user, organization_id) if organization_id <= LARGEST_ID else None
    if found is None:
        raise Http404
    return found


def _invite(request: HttpRequest, member: Member) -> None:
    form = MemberRoleForm(request.POST)
    if member.role != MemberRole.OWNER:
        raise Refused("right")
    if form.is_valid():
        token = invite(member, form.cleaned_data["role"])
        request.session[LINK] = request.build_absolute_uri(reverse("organization_join", args=[token]))


def _revoke(request: HttpRequest, member: Member) -> None:
    number = parse_whole(request.POST.get("invitation", ""), LARGEST_ID)
    if number is not None:
        revoke_invitation(member, number)


def _change(request: HttpRequest, member: Member) -> None:
    form, number = MemberRoleForm(request.POST), parse_whole(request.POST.get("member", ""), LARGEST_ID)
    if form.is_valid() and number is not None:
        change_member(member, number, form.cleaned_data["role"])


def _end(request: HttpRequest, member: Member) -> None:
    number = parse_whole(request.POST.get("member", ""), LARGEST_ID)
    if number is not None:
        change_member(member, number, None)


def _note(request: HttpRequest, member: Member) -> None:
    form = NoteForm(request.POST)
    if form.is_valid():
        share_note(member, **form.cleaned_data)
    else:
        messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))


_ACTS: dict[str, Callable[[HttpRequest, Member], None]] = {
    "invite": _invite,
    "revoke": _revoke,
    "change": _change,
    "end": _end,
    "note": _note,
}


@require_http_methods(["GET", "HEAD", "POST"])
def organization_join(request: HttpRequest, token: str) -> HttpResponse:
    """The page of an invitation; joining takes a click, so that no link does it by itself."""
    assert isinstance(request.user, User)
    if request.method == "POST":
        joined = join(request.user, token)
        if joined is not None:
            messages.success(request, _("You are a member now."))
            return redirect("organization", joined.pk)
    found = open_invitation(token) if request.method != "POST" else None
    status = 200 if found else 410
    return render(request, "community/join.html", {"invitation": found}, status=status)
