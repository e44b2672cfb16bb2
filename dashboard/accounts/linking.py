"""Which account at the provider signs in to which account here: one to one, with a row of the audit for each change."""

from typing import Any

from allauth.account.internal.flows.reauthentication import is_reauthentication_required
from allauth.socialaccount.models import SocialAccount
from django.conf import settings as django_settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _

from dashboard.accounts.changes import record_change
from dashboard.accounts.models import User
from dashboard.accounts.provider import PROVIDER


def linked_accounts(person: Any) -> Any:
    """The accounts at the provider of the settings that sign in to this one.

    Those of another issuer, which the settings named earlier, are not among them: they sign nobody in.
    """
    apps = django_settings.SOCIALACCOUNT_PROVIDERS.get(PROVIDER, {}).get("APPS", [])
    issuers = [app["provider_id"] for app in apps]
    return SocialAccount.objects.filter(user=person, provider__in=issuers).order_by("pk")


@transaction.atomic
def link(request: HttpRequest, sociallogin: Any) -> None:
    """Link an account of the provider to that of the request, and add a message. Two tabs at once take turns."""
    # Without the lock of the key: rows that refer to the account may be written meanwhile.
    person = User.objects.select_for_update(no_key=True).get(pk=request.user.pk)
    # The way there and back may have taken longer than a confirmation holds.
    if is_reauthentication_required(request, app="allauth.socialaccount"):
        messages.error(request, _("That took too long, so nothing was linked. Begin again."))
    elif sociallogin.is_existing:
        is_own = sociallogin.account.user_id == person.pk
        mine = _("It signs in to this account already.")
        theirs = _("It signs in to another account here, so it was not linked.")
        messages.add_message(request, messages.INFO if is_own else messages.ERROR, mine if is_own else theirs)
    elif linked_accounts(person).exists():
        refuse_second_link(request)
    else:
        sociallogin.connect(request, person)
        record_change(person, "linked to the OpenID provider", request=request)
        messages.success(request, _("It signs in to this account from now on."))


def refuse_second_link(request: HttpRequest) -> None:
    """Add the message that refuses a second link: nobody could say which of two to unlink, or to confirm with."""
    messages.error(request, _("Another account there signs in to this one already. Remove that link first."))


@transaction.atomic
def unlink(request: HttpRequest) -> int:
    """Remove the links to the provider of the settings, with a row of the audit. Returns how many there were."""
    person = request.user
    count, _rows = linked_accounts(person).delete()
    if count:
        record_change(person, "unlinked from the OpenID provider", request=request)
    return int(count)
