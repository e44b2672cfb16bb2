"""The page of all accounts, for an admin: roles, switching off, invitations."""

from django.contrib import messages
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from dashboard.access import MATRIX
from dashboard.accounts.changes import record_change
from dashboard.accounts.connections import end
from dashboard.accounts.forms import RoleForm
from dashboard.accounts.models import AccountChange, Connection, Invitation, User
from dashboard.accounts.roles import Role, holders
from dashboard.gateway.audit import read_audit_report
from dashboard.gateway.reading import parse_whole
from strades_pipelines.settings import settings

SHOWN_CHANGES, LARGEST_ID = 20, 2**63 - 1
# `user_logging_info` is the table of accounts, `user_log_info` the view of how often and how long each was connected.
PEOPLE = """
    SELECT u."UserID" AS id, u."Pseudo" AS pseudo, u."Email" AS email, u."DateCreationAccount" AS created_at,
        u."LastConnection" AS last_connection, u.role, u.is_active,
        l."nbConnections" AS connections, l."AvgConnectionTime" AS average_time,
        EXISTS (
            SELECT FROM mfa_authenticator AS f WHERE f.user_id = u."UserID" AND f.type IN ('totp', 'webauthn')
        ) AS has_second_factor
    FROM user_logging_info AS u INNER JOIN user_log_info AS l ON l."ID_account" = u."UserID"
    ORDER BY u."Pseudo" LIMIT 500
"""


@require_safe
def people(request: HttpRequest) -> HttpResponse:
    """List the accounts, their changes, and which pages each role may open."""
    with connection.cursor() as cursor:
        cursor.execute(PEOPLE)
        names = [column.name for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    newest = AccountChange.objects.select_related("person").order_by("-sequence")
    before = parse_whole(request.GET.get("before", ""), LARGEST_ID)
    # One more than is shown tells whether there are older ones.
    changes = list((newest if before is None else newest.filter(sequence__lt=before))[: SHOWN_CHANGES + 1])
    context = {
        "people": rows,
        "roles": [role.value for role in Role],
        "matrix": [(name, [role in holders(needed) for role in Role]) for name, needed in MATRIX.items() if needed],
        "invitations": Invitation.objects.select_related("created_by", "used_by").order_by("-created_at")[:20],
        "changes": changes[:SHOWN_CHANGES],
        "before": before,
        "older": changes[SHOWN_CHANGES - 1].sequence if len(changes) > SHOWN_CHANGES else None,
        "audit": read_audit_report(),
        "invitation_link": request.session.pop("invitation_link", None),
        "signup": settings().dashboard_signup,
    }
    return render(request, "accounts/people.html", context)


@require_POST
@transaction.atomic
def person_change(request: HttpRequest, user_id: int) -> HttpResponse:
    """Give an account another role, or switch it off or on; its connections end with its rights."""
    person = get_object_or_404(User.objects.select_for_update(no_key=True), pk=user_id)
    form = RoleForm(request.POST)
    if person == request.user:
        messages.error(request, _("Nobody changes his own rights; ask another admin."))
    elif request.POST.get("seen", f"{person.role}/{person.is_active}") != f"{person.role}/{person.is_active}":
        line = _("%(name)s was changed by somebody else since this page was opened. Nothing was saved: look again.")
        messages.error(request, line % {"name": person.pseudo})
    elif form.is_valid():
        person.role, person.is_active = form.cleaned_data["role"], "is_active" in request.POST
        person.save(update_fields=["role", "is_active"])
        end(Connection.objects.filter(user=person))
        what = person.role if person.is_active else f"{person.role}, may not sign in"
        record_change(person, what, request=request)
        messages.success(request, _("%(name)s was changed and is signed out everywhere.") % {"name": person.pseudo})
    else:
        messages.error(request, _("Choose a role."))
    return redirect("people")


@require_POST
@transaction.atomic
def invitation_create(request: HttpRequest) -> HttpResponse:
    """Make a link for one new account; it is shown once."""
    form = RoleForm(request.POST)
    if form.is_valid():
        assert isinstance(request.user, User)
        _made, token = Invitation.issue(role=Role(form.cleaned_data["role"]), by=request.user)
        record_change(request.user, f"invitation made for a new {form.cleaned_data['role']}", request=request)
        request.session["invitation_link"] = request.build_absolute_uri(reverse("invitation", args=[token]))
    return redirect("people")
