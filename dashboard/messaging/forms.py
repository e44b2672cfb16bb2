"""The forms of messages."""

from django import forms
from django.utils.translation import gettext_lazy

from dashboard.community.plain_text import NameField, ProseField
from dashboard.messaging.models import LONGEST_MESSAGE


class ThreadForm(forms.Form):
    """A new thread: with contacts, or with an organization. `key` makes the form one thread."""

    key = forms.UUIDField(widget=forms.HiddenInput, required=False)
    title = NameField(label=gettext_lazy("Title"), max_length=100)
    people = forms.TypedMultipleChoiceField(
        label=gettext_lazy("With"), coerce=int, required=False, widget=forms.SelectMultiple(attrs={"size": 6})
    )
    organization = forms.TypedChoiceField(
        label=gettext_lazy("or with all of"), coerce=int, empty_value=None, required=False
    )


class MessageForm(forms.Form):
    """A message. `key` is unique, so that the form sent twice is one message."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    text = ProseField(
        label=gettext_lazy("Message"),
        max_length=LONGEST_MESSAGE,
        help_text=gettext_lazy(
            "**bold**, *italic*, `code`, lists, quotes, links; @NAME mentions somebody. The id of a decision, order, "
            "fill or run, wallet:NAME and day:WALLET~2024-01-31 become cards."
        ),
    )


class EditForm(forms.Form):
    """Another text of a message of one's own."""

    message = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=2**63 - 1)
    text = ProseField(label=gettext_lazy("Message"), max_length=LONGEST_MESSAGE)


class ReportForm(forms.Form):
    """Why a message is reported."""

    message = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=2**63 - 1)
    reason = NameField(label=gettext_lazy("What is wrong with it"), max_length=300)


class AnswerForm(forms.Form):
    """What an admin did with a report."""

    report = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=2**63 - 1)
    answer = NameField(label=gettext_lazy("Reason, which the author and who reported it read"), max_length=300)
