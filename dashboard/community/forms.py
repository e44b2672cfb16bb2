"""The forms of the community."""

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dashboard.community.models import DAILY, LEVELS, ROLES, WEEKLY, Level, MemberRole
from dashboard.community.plain_text import NameField, ProseField

LONGEST_NOTE, MOST_INSTRUMENTS = 4000, 200


class ProfileForm(forms.Form):
    """What others see of a person."""

    is_listed = forms.BooleanField(label=gettext_lazy("List me in the directory"), required=False)
    about = NameField(label=gettext_lazy("About me, for who looks there"), max_length=300, required=False)


class DigestForm(forms.Form):
    """How often mails about the feed come, and where to; an empty choice: none do."""

    every = forms.ChoiceField(
        label=gettext_lazy("A mail about what is new"),
        choices=[
            ("", gettext_lazy("never")),
            (DAILY, gettext_lazy("every day")),
            (WEEKLY, gettext_lazy("every week")),
        ],
        required=False,
    )
    address = forms.EmailField(label=gettext_lazy("To the address"), max_length=254, required=False)

    def clean(self) -> dict[str, str]:
        """The choice; who wants mails says where to.

        Raises:
            ValidationError: there is no address, or one that not every mail server takes.
        """
        found: dict[str, str] = self.cleaned_data
        address = found.get("address", "")
        if found.get("every") and not self.errors and not address:
            raise forms.ValidationError(_("Say to which address the mails go."))
        if not address.isascii():
            raise forms.ValidationError(_("Write the address without accents."))
        return found


class OrganizationForm(forms.Form):
    """A new organization."""

    name = NameField(label=gettext_lazy("Name"), min_length=2, max_length=80)


class MemberRoleForm(forms.Form):
    """A role in an organization."""

    role = forms.TypedChoiceField(label=gettext_lazy("Role"), choices=list(ROLES.items()), coerce=MemberRole)


class NoteForm(forms.Form):
    """A note, or a selection of markets, for an organization. `key` makes the form one note."""

    key = forms.UUIDField(widget=forms.HiddenInput, required=False)
    title = NameField(label=gettext_lazy("Title"), max_length=80)
    text = ProseField(label=gettext_lazy("Note"), max_length=LONGEST_NOTE, required=False)
    instruments = forms.CharField(
        label=gettext_lazy("Markets"),
        max_length=8000,
        required=False,
        help_text=gettext_lazy("As VENUE:SYMBOL, separated by commas; empty for a note."),
    )

    def clean_instruments(self) -> list[str]:
        """The markets, each once, in the order of the text."""
        found = list(dict.fromkeys(one.strip() for one in self.cleaned_data["instruments"].split(",") if one.strip()))
        if len(found) > MOST_INSTRUMENTS or any(":" not in one or len(one) > 100 for one in found):
            raise forms.ValidationError(_("Write markets as VENUE:SYMBOL, at most 200."))
        return found


class ShareForm(forms.Form):
    """With whom a wallet is shared: `person:NUMBER` or `organization:NUMBER`."""

    to = forms.ChoiceField(label=gettext_lazy("With"))
    level = forms.TypedChoiceField(label=gettext_lazy("May"), choices=list(LEVELS.items()), coerce=Level)


class OwnerForm(forms.Form):
    """Who owns a wallet; empty: nobody, it is open to everybody."""

    to = forms.ChoiceField(label=gettext_lazy("Owner"), required=False)


class ApproverForm(forms.Form):
    """Who has to approve live trading of a wallet."""

    organization = forms.TypedChoiceField(label=gettext_lazy("A member of"), coerce=int)
    role = forms.TypedChoiceField(
        label=gettext_lazy("Who is at least"), choices=list(ROLES.items()), coerce=MemberRole, initial=MemberRole.TRADER
    )


class FileForm(forms.Form):
    """A file that is read at once and not kept."""

    file = forms.FileField(label=gettext_lazy("File"), max_length=200)
