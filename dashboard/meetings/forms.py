"""The forms of events."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dashboard.community.plain_text import NameField, ProseField
from dashboard.meetings.files import FIRST_YEAR, LAST_YEAR, LONGEST_TEXT, Draft
from dashboard.meetings.models import Answer, Meeting
from dashboard.meetings.planning import new_uid
from dashboard.meetings.recurrence import RuleRefused, parse_rule, with_end
from strades_pipelines.settings import settings

WHEN = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
FORMATS = ["%Y-%m-%dT%H:%M"]
REMINDERS = (10, 60, 1440)


class MeetingForm(forms.Form):
    """A new event. `starts` is a time on the clocks of `zone`, `as_of` one of UTC; `key` makes the form one event."""

    key = forms.UUIDField(widget=forms.HiddenInput, required=False)
    title = NameField(label=gettext_lazy("Title"), max_length=100)
    starts = forms.DateTimeField(label=gettext_lazy("Begins"), input_formats=FORMATS, widget=WHEN)
    minutes = forms.IntegerField(label=gettext_lazy("Minutes"), min_value=0, max_value=31 * 24 * 60, initial=30)
    zone = forms.CharField(label=gettext_lazy("Time zone"), max_length=64)
    rule = forms.CharField(
        label=gettext_lazy("Repeats"),
        max_length=200,
        required=False,
        help_text=gettext_lazy(
            "A rule of iCalendar, as FREQ=WEEKLY;BYDAY=MO;COUNT=10; at most 1,000 times. Empty: once."
        ),
    )
    as_of = forms.DateTimeField(
        label=gettext_lazy("Look at the data as of (UTC)"),
        input_formats=FORMATS,
        widget=WHEN,
        required=False,
        help_text=gettext_lazy("Its links open the pages as of this time, so that all look at the same state."),
    )
    capacity = forms.IntegerField(
        label=gettext_lazy("Places"),
        min_value=1,
        max_value=1000,
        required=False,
        help_text=gettext_lazy("Who says yes when none is left waits for one. Empty: as many as will."),
    )
    text = ProseField(label=gettext_lazy("What it is about"), max_length=LONGEST_TEXT, required=False)
    people = forms.TypedMultipleChoiceField(
        label=gettext_lazy("With"), coerce=int, required=False, widget=forms.SelectMultiple(attrs={"size": 5})
    )
    organization = forms.TypedChoiceField(
        label=gettext_lazy("or with all of"), coerce=int, empty_value=None, required=False
    )

    def clean_zone(self) -> str:
        """The name of a zone.

        Raises:
            ValidationError: there is none of that name.
        """
        name = str(self.cleaned_data["zone"])
        if name not in available_timezones():
            raise forms.ValidationError(_("Expected a time zone such as Europe/Paris."))
        return name

    def clean_rule(self) -> str:
        """The rule in its short form.

        Raises:
            ValidationError: it is none that is taken.
        """
        try:
            return parse_rule(self.cleaned_data["rule"])
        except RuleRefused:
            raise forms.ValidationError(
                _("Expected a rule such as FREQ=WEEKLY;BYDAY=MO;COUNT=10, by days or longer, at most 1,000 times.")
            ) from None

    def clean_as_of(self) -> datetime | None:
        """The instant, which is past.

        Raises:
            ValidationError: it is still to come.
        """
        found = _wall(self.cleaned_data["as_of"], UTC)
        if found is not None and not (found.year >= FIRST_YEAR - 100 and found <= settings().now()):
            raise forms.ValidationError(_("That time is still to come, or too long ago."))
        return found

    def clean_starts(self) -> datetime:
        """The time as it was typed.

        Raises:
            ValidationError: its year is none of this or the next decades.
        """
        found: datetime = self.cleaned_data["starts"]
        if not FIRST_YEAR < found.year < LAST_YEAR:
            raise forms.ValidationError(_("Expected a year from 2001 to 2099."))
        return found

    def clean(self) -> dict[str, Any]:
        """All fields.

        Raises:
            ValidationError: the rule counts to more repeats than it ever comes to.
        """
        given: dict[str, Any] = super().clean()
        if {"starts", "minutes", "zone", "rule"} <= given.keys():
            starts_at = _wall(given["starts"], ZoneInfo(given["zone"]))
            assert starts_at is not None
            try:
                with_end(given["rule"], starts_at, given["zone"])
            except RuleRefused:
                self.add_error("rule", _("This rule never comes to as many times."))
        return given

    @property
    def draft(self) -> Draft:
        """The event of a valid form."""
        given: dict[str, Any] = self.cleaned_data
        starts_at = _wall(given["starts"], ZoneInfo(given["zone"]))
        assert starts_at is not None
        ends_at = starts_at + timedelta(minutes=given["minutes"])
        return Draft(
            new_uid(given["key"]),
            given["title"],
            given["text"],
            starts_at,
            ends_at,
            given["zone"],
            given["rule"],
            given["as_of"],
        )


class ChangeForm(MeetingForm):
    """Another time, text or number of places of an event; its guests stay."""

    people = organization = None

    @classmethod
    def of(cls, meeting: Meeting) -> "ChangeForm":
        """The form as the event is now."""
        place = ZoneInfo(meeting.zone)
        initial = {
            "title": meeting.title,
            "starts": meeting.starts_at.astimezone(place).replace(tzinfo=None).strftime(FORMATS[0]),
            "minutes": int((meeting.ends_at - meeting.starts_at).total_seconds() // 60),
            "zone": meeting.zone,
            "rule": meeting.rule,
            "as_of": meeting.as_of.astimezone(UTC).replace(tzinfo=None).strftime(FORMATS[0]) if meeting.as_of else "",
            "capacity": meeting.capacity,
            "text": meeting.text,
        }
        return cls(initial=initial, auto_id="change_%s")


def _wall(value: datetime | None, zone: Any) -> datetime | None:
    """What somebody typed, which Django took for a time of the page's zone, as a time of another zone, in UTC."""
    if value is None:
        return None
    wall: datetime = timezone.make_naive(value)
    return wall.replace(tzinfo=zone).astimezone(UTC)


class AnswerForm(forms.Form):
    """What a guest says, and when he is reminded."""

    answer = forms.TypedChoiceField(
        label=gettext_lazy("I come"),
        choices=[
            (Answer.YES, gettext_lazy("yes")),
            (Answer.MAYBE, gettext_lazy("maybe")),
            (Answer.NO, gettext_lazy("no")),
        ],
        coerce=Answer,
    )
    reminder = forms.TypedChoiceField(
        label=gettext_lazy("Remind me, minutes before"),
        choices=[("", "—"), *((str(minutes), str(minutes)) for minutes in REMINDERS)],
        coerce=int,
        empty_value=None,
        required=False,
    )
