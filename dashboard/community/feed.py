"""The feed: what concerns a person, newest first, what he did himself, and his profile."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from dashboard.accounts.models import User
from dashboard.community.acts import count_own, read_feed
from dashboard.community.contacts import blocked_people, profile_of, save_profile
from dashboard.community.digests import digest_of
from dashboard.community.forms import DigestForm, ProfileForm
from dashboard.community.models import Profile
from dashboard.community.words import feed_lines, word_of_act
from dashboard.gateway.installation import FEED_DAYS
from dashboard.meetings.planning import reminders
from strades_pipelines.settings import settings

SHOWN = 50


@require_safe
def community(request: HttpRequest) -> HttpResponse:
    """The feed; what it shows counts as seen from the next page on."""
    assert isinstance(request.user, User)
    now = settings().now()
    profile, digest = profile_of(request.user), digest_of(request.user)
    context = {
        "lines": feed_lines(read_feed(until=now, most=SHOWN), blocked_people(request.user), viewer=request.user.pk),
        "reminders": reminders(request.user, now),
        "seen_at": profile.seen_at,
        "counts": [(word_of_act(kind), count) for kind, count in count_own(request.user)],
        "days": FEED_DAYS.days,
        "form": ProfileForm(initial={"is_listed": profile.is_listed, "about": profile.about}),
        "digest": digest,
        "digest_form": DigestForm(
            initial={
                "every": digest.every if digest else "",
                "address": digest.address if digest else request.user.email,
            }
        ),
    }
    return render(request, "community/community.html", context)


@require_POST
def feed_seen(request: HttpRequest) -> HttpResponse:
    """Keep that the feed was read."""
    assert isinstance(request.user, User)
    # An update makes no row.
    profile_of(request.user)
    Profile.objects.filter(person=request.user).update(seen_at=settings().now())
    return redirect("community")


@require_POST
def profile_save(request: HttpRequest) -> HttpResponse:
    """Change what others see of a person."""
    assert isinstance(request.user, User)
    form = ProfileForm(request.POST)
    if form.is_valid():
        save_profile(request.user, **form.cleaned_data)
        messages.success(request, _("Saved."))
    else:
        messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))
    return redirect("community")
