"""The forms of the shop."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dashboard.accounts.models import User
from dashboard.shop.models import BY_HAND, CREDITS, FREE
from strades_pipelines.sharing.bundle_file import Bundle, read_bundle
from strades_pipelines.sharing.manifest import BundleRefused

# What the body of any form may have (settings.DATA_UPLOAD_MAX_MEMORY_SIZE), less the rest of the form.
LARGEST_BUNDLE = 240 * 1024
MOST_CREDITS = 1_000_000


class KeyForm(forms.Form):
    """A form that is one act, however often it is sent."""

    key = forms.UUIDField(widget=forms.HiddenInput)


class UploadForm(KeyForm):
    """A bundle, and how others get it."""

    file = forms.FileField(
        label=gettext_lazy("Bundle"),
        max_length=200,
        help_text=gettext_lazy(
            "As strades bundle make writes it, at most 240 kB. It stays a draft until you publish it."
        ),
    )
    way = forms.ChoiceField(
        label=gettext_lazy("Who asks for it"),
        choices=[
            (FREE, gettext_lazy("gets it at once")),
            (CREDITS, gettext_lazy("pays credits")),
            (BY_HAND, gettext_lazy("waits for your answer")),
        ],
    )
    price = forms.IntegerField(
        label=gettext_lazy("Credits"),
        min_value=1,
        max_value=MOST_CREDITS,
        required=False,
        help_text=gettext_lazy("Only where who asks for it pays credits."),
    )
    bundle: Bundle

    def clean_file(self) -> Any:
        """Refuse what is no bundle, with the reason."""
        file = self.cleaned_data["file"]
        if file.size > LARGEST_BUNDLE:
            raise ValidationError(_("Expected at most 240 kB; pass larger bundles on as files."))
        try:
            self.bundle = read_bundle(file.read())
        except BundleRefused as error:
            raise ValidationError(_("Refused: %(reason)s") % {"reason": str(error)}) from None
        return file

    def clean(self) -> dict[str, Any]:
        """Refuse a price where none is paid, and none where one is."""
        found: dict[str, Any] = super().clean() or {}
        if "price" in found and (found.get("way") == CREDITS) != bool(found["price"]):
            self.add_error("price", _("Expected a price where credits are paid, and none elsewhere."))
        return found


class CreditsForm(KeyForm):
    """Credits for a person."""

    person = forms.CharField(label=gettext_lazy("Name"), max_length=64)
    amount = forms.IntegerField(label=gettext_lazy("Credits"), min_value=1, max_value=MOST_CREDITS)
    reason = forms.CharField(label=gettext_lazy("Why"), max_length=300)

    def clean_person(self) -> User:
        """The account of that name."""
        found: User | None = User.objects.filter(pseudo=self.cleaned_data["person"]).first()
        if found is None:
            raise ValidationError(_("There is no account of that name."))
        return found


class InstallForm(KeyForm):
    """That somebody has read what the code asks for."""

    read = forms.BooleanField(label=gettext_lazy("I have read what it asks for, and trust its author or its code."))


class ReasonForm(forms.Form):
    """Why an item is reported or hidden."""

    reason = forms.CharField(label=gettext_lazy("Why"), max_length=300)
