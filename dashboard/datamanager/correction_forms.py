"""Forms that correct what a source said of a dividend, a split or an article. The record stands in the address."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from dashboard.datamanager.forms import RequestForm
from dashboard.gateway.records import ArticleRecord

POSITIVE = Decimal("1e-12")
MOST_DIGITS = 17  # of a float


def ratio_fields(ratio: float) -> dict[str, Decimal]:
    """The new and old shares of a stored ratio, in the smallest numbers that make just this ratio again."""
    for digits in range(1, MOST_DIGITS):
        shares = Fraction(ratio).limit_denominator(10**digits)
        if float(shares) == ratio:
            return {"numerator": Decimal(shares.numerator), "denominator": Decimal(shares.denominator)}
    return {"numerator": Decimal(repr(ratio)), "denominator": Decimal(1)}


class ActionForm(RequestForm):
    """The amount of a dividend, or the ratio of a split: `numerator` new shares for `denominator` old ones.

    `stored` is the row of `records.corporate_actions` with the listing's venue, symbol, calendar and currency.
    """

    protocol_name = "manual_action"
    amount = forms.DecimalField(label=gettext_lazy("Amount a share"), max_digits=30, min_value=POSITIVE)
    numerator = forms.DecimalField(label=gettext_lazy("New shares"), max_digits=40, min_value=POSITIVE)
    denominator = forms.DecimalField(label=gettext_lazy("for old shares"), max_digits=40, min_value=POSITIVE)
    field_order = ("amount", "numerator", "denominator", "reason")

    def __init__(self, *arguments: Any, stored: dict[str, Any], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._stored = stored
        self._names = ("numerator", "denominator") if stored["action"] == "split" else ("amount",)
        for name in {"amount", "numerator", "denominator"} - set(self._names):
            del self.fields[name]

    def given(self) -> dict[str, str]:
        """The listing."""
        return {name: self._stored[name] for name in ("venue", "symbol", "calendar", "currency")}

    def body(self, *, by: str, at: datetime) -> bytes:
        """The action at the instant at which it was known: its session's opening."""
        known: datetime = self._stored["knowledge_time"]
        record = {"event_time": known.astimezone(UTC).isoformat()}
        record |= {name: f"{self.cleaned_data[name]:f}" for name in self._names}
        if self._stored["action"] != "split":
            record["currency"] = self._stored["action_currency"] or self._stored["currency"]
        document = _signature(self.cleaned_data, by, at) | {"dividend": [], "capital_gain": [], "split": []}
        return _written(document | {self._stored["action"]: [record]})


class ArticleForm(RequestForm):
    """Title and summary of an article; all else of it is carried over. Its bytes are a JSON Feed of the same source."""

    protocol_name = "feed"
    title = forms.CharField(label=gettext_lazy("Title"), max_length=20_000)
    summary = forms.CharField(
        label=gettext_lazy("Summary"), max_length=200_000, required=False, widget=forms.Textarea(attrs={"rows": 6})
    )
    field_order = ("title", "summary", "reason")

    def __init__(self, *arguments: Any, stored: ArticleRecord, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._stored = stored

    def given(self) -> dict[str, str]:
        """Nothing: the feed says it all."""
        return {}

    def body(self, *, by: str, at: datetime) -> bytes:
        """A feed with the one article."""
        stored = self._stored
        item: dict[str, Any] = {
            "id": stored.article_id,
            "url": stored.url,
            "title": self.cleaned_data["title"],
            "summary": self.cleaned_data["summary"],
            "content_text": stored.text,
            "authors": [{"name": name} for name in stored.authors],
            "language": stored.language,
            "tags": stored.categories,
            "date_published": stored.published_at and stored.published_at.astimezone(UTC).isoformat(),
        }
        document: dict[str, Any] = {"version": "https://jsonfeed.org/version/1.1", "title": "A correction"}
        document |= {"_correction": _signature(self.cleaned_data, by, at)}
        return _written(document | {"items": [{name: value for name, value in item.items() if value}]})


def _signature(cleaned: dict[str, Any], by: str, at: datetime) -> dict[str, Any]:
    return {"request": str(cleaned["key"]), "by": by, "at": at.isoformat(), "reason": cleaned["reason"]}


def _written(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()
