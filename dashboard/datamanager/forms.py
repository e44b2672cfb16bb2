"""Forms that ask for a change of data: a file, a bar, a value of a series. Each makes the bytes that are taken in."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dashboard.gateway.markets import INTERVALS

KEPT = gettext_lazy("Kept with your name and the time; everybody sees it.")


class UtcField(forms.CharField):
    """An instant as `YYYY-MM-DDTHH:MM` of UTC, whatever the zone of the page is."""

    def clean(self, value: Any) -> datetime:
        """The instant.

        Raises:
            ValidationError: no such time.
        """
        text = str(super().clean(value))
        for written in ("%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"):
            try:
                return datetime.strptime(text, written).replace(tzinfo=UTC)
            except ValueError:
                continue
        raise ValidationError(_("Expected a time such as 2024-01-31T21:00."))


class RequestForm(forms.Form):
    """What every request has: the key makes it one, however often it is sent."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    reason = forms.CharField(label=gettext_lazy("Why"), max_length=300, help_text=KEPT)
    protocol_name: ClassVar[str] = ""
    # What a correction leaves as it is: which record it is about.
    fixed: ClassVar[tuple[str, ...]] = ()

    def fix(self) -> None:
        """Have the fields that tell which record it is keep what they are given at first."""
        for name in self.fixed:
            self.fields[name].disabled = True

    def given(self) -> dict[str, str]:
        """What the bytes do not say."""
        raise NotImplementedError

    def body(self, *, by: str, at: datetime) -> bytes:
        """The bytes that are taken in."""
        return document(self.record(), key=self.cleaned_data["key"], by=by, at=at, reason=self.cleaned_data["reason"])

    def record(self) -> dict[str, str]:
        """The record as its protocol reads it."""
        raise NotImplementedError


class CandleForm(RequestForm):
    """One final bar of a listing."""

    protocol_name = "manual_candle"
    fixed = ("venue", "symbol", "calendar", "interval", "open_time")
    venue = forms.CharField(label=gettext_lazy("Venue"), max_length=60)
    symbol = forms.CharField(
        label=gettext_lazy("Symbol"), max_length=60, help_text=gettext_lazy("As the venue names it; it must be listed.")
    )
    calendar = forms.CharField(
        label=gettext_lazy("Calendar"),
        max_length=20,
        initial="24/7",
        help_text=gettext_lazy("Of its sessions: 24/7, XNYS, …"),
    )
    interval = forms.ChoiceField(label=gettext_lazy("Interval"), choices=[(name, name) for name in INTERVALS])
    open_time = UtcField(
        label=gettext_lazy("Opens (UTC)"), max_length=30, widget=forms.TextInput(attrs={"type": "datetime-local"})
    )
    open = forms.DecimalField(label=gettext_lazy("Open"), max_digits=30)
    high = forms.DecimalField(label=gettext_lazy("High"), max_digits=30)
    low = forms.DecimalField(label=gettext_lazy("Low"), max_digits=30)
    close = forms.DecimalField(label=gettext_lazy("Close"), max_digits=30)
    volume = forms.DecimalField(label=gettext_lazy("Volume"), max_digits=30, required=False)
    quote_volume = forms.DecimalField(label=gettext_lazy("Volume in money"), max_digits=30, required=False)
    trade_count = forms.IntegerField(label=gettext_lazy("Trades"), min_value=0, max_value=2**62, required=False)
    field_order = (
        "venue",
        "symbol",
        "calendar",
        "interval",
        "open_time",
        "open",
        "high",
        "low",
        "close",
        "volume",
        "quote_volume",
        "trade_count",
        "reason",
    )

    def clean(self) -> dict[str, Any]:
        """Refuse a bar whose high and low do not hold its other prices."""
        found: dict[str, Any] = super().clean() or {}
        prices = {name: found[name] for name in ("open", "high", "low", "close") if found.get(name) is not None}
        if prices.get("high") is not None and prices["high"] < max(prices.values()):
            self.add_error("high", _("It is below another price of the bar."))
        if prices.get("low") is not None and prices["low"] > min(prices.values()):
            self.add_error("low", _("It is above another price of the bar."))
        return found

    def given(self) -> dict[str, str]:
        """The listing and the length of the bar."""
        return {name: self.cleaned_data[name] for name in ("venue", "symbol", "calendar", "interval")}

    def record(self) -> dict[str, str]:
        """The bar, with exact numbers as text."""
        found = {"open_time": self.cleaned_data["open_time"].isoformat()}
        names = ("open", "high", "low", "close", "volume", "quote_volume", "trade_count")
        numbers = {name: self.cleaned_data[name] for name in names}
        # Not as 1E+3, as Decimal writes it.
        return found | {name: f"{Decimal(value):f}" for name, value in numbers.items() if value is not None}


class ObservationForm(RequestForm):
    """One value of a series."""

    protocol_name = "manual_observation"
    fixed = ("series", "event_time", "unit")
    series = forms.CharField(label=gettext_lazy("Series"), max_length=100)
    event_time = forms.DateField(label=gettext_lazy("Day it is about"), input_formats=["%Y-%m-%d"])
    value = forms.DecimalField(label=gettext_lazy("Value"), max_digits=30)
    unit = forms.CharField(label=gettext_lazy("Unit"), max_length=60)
    known_on = forms.DateField(
        label=gettext_lazy("Known from (UTC)"),
        input_formats=["%Y-%m-%d"],
        required=False,
        help_text=gettext_lazy(
            "The first instant of this day. Without one it is known from the day after it is taken in, so that no "
            "decision of before has read it."
        ),
    )
    field_order = ("series", "event_time", "value", "unit", "known_on", "reason")

    def __init__(self, *arguments: Any, today: date, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._today = today

    def clean(self) -> dict[str, Any]:
        """Refuse a value that was known before the day it is about."""
        found: dict[str, Any] = super().clean() or {}
        about, known = found.get("event_time"), found.get("known_on")
        if about and about > self._today:
            raise ValidationError({"event_time": _("That day is still to come.")})
        if about and known and known < about:
            raise ValidationError({"known_on": _("It cannot be known before the day it is about.")})
        return found

    def given(self) -> dict[str, str]:
        """How many days after its label the value was known; who takes it in says so where the form does not."""
        known: date | None = self.cleaned_data["known_on"]
        return {"lag_days": str((known - self.cleaned_data["event_time"]).days)} if known else {}

    def record(self) -> dict[str, str]:
        """The value, exact, as text."""
        found = self.cleaned_data
        return {
            "series": found["series"],
            "event_time": found["event_time"].isoformat(),
            "value": f"{found['value']:f}",
            "unit": found["unit"],
        }


class MarkForm(RequestForm):
    """That a record is left out, or counts again: only the reason is asked."""

    def __init__(self, *arguments: Any, table: str, record_key: str, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._record = {"table": table, "key": record_key}

    def given(self) -> dict[str, str]:
        """The table of `records` and the key of the row, as JSON."""
        return dict(self._record)

    def record(self) -> dict[str, str]:
        """The same."""
        return dict(self._record)


class FileForm(RequestForm):
    """A file that holds an answer of a source, as `strades load` takes one."""

    file = forms.FileField(
        label=gettext_lazy("File"), max_length=200, help_text=gettext_lazy("At most 8 MB; larger ones by strades load.")
    )
    protocol = forms.ChoiceField(label=gettext_lazy("How to read it"))
    source = forms.ChoiceField(label=gettext_lazy("Source"), required=False)
    set = forms.CharField(
        label=gettext_lazy("What it does not say"),
        required=False,
        max_length=1_000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=gettext_lazy(
            "One key=value a line: symbol=BTC_USDT, interval=1m. What Sources.json says of the symbol is filled in."
        ),
    )
    field_order = ("file", "protocol", "source", "set", "reason")

    def __init__(self, *arguments: Any, protocols: Sequence[str], sources: Sequence[str], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.fields["protocol"].choices = [(name, name) for name in protocols]
        self.fields["source"].choices = [("", _("the one that speaks it")), *((name, name) for name in sources)]

    def clean_file(self) -> Any:
        """Refuse more than is taken in."""
        file = self.cleaned_data["file"]
        if file.size > settings.LARGEST_FILE:
            raise ValidationError(_("Expected at most 8 MB; use strades load."))
        return file

    def clean_set(self) -> dict[str, str]:
        """Lines of key=value as a dictionary."""
        pairs = [line.strip().partition("=") for line in self.cleaned_data["set"].splitlines() if line.strip()]
        wrong = [key for key, sign, _value in pairs if not sign or not key.isidentifier()]
        if wrong:
            raise ValidationError(_("Expected lines of key=value, found %(line)s.") % {"line": wrong[0][:40]})
        return {key: value for key, _sign, value in pairs}

    def given(self) -> dict[str, str]:
        """What the person says beside the file."""
        found: dict[str, str] = self.cleaned_data["set"]
        return found

    def body(self, *, by: str, at: datetime) -> bytes:
        """The file as it came."""
        self.cleaned_data["file"].seek(0)
        content: bytes = self.cleaned_data["file"].read()
        return content


def document(record: Mapping[str, str], *, key: UUID, by: str, at: datetime, reason: str) -> bytes:
    """A record as the bytes that are stored for it: who wrote it down, when and why stand in them too."""
    written = {"request": str(key), "by": by, "at": at.isoformat(), "reason": reason, "records": [dict(record)]}
    return (json.dumps(written, ensure_ascii=False, indent=1) + "\n").encode()
