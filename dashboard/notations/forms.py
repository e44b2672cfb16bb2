"""The form of a notation."""

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dashboard.notations.models import LONGEST_NOTE, LONGEST_TAG, MOST_TAGS, RATINGS, Remark

LARGEST_VERSION = 2**31 - 2


class NotationForm(forms.Form):
    """Rating, tags and note.

    `key` is unique, so sending the form twice makes one version; `base` is the version on which the edit is based.
    """

    key = forms.UUIDField(widget=forms.HiddenInput)
    base = forms.IntegerField(widget=forms.HiddenInput, min_value=0, max_value=LARGEST_VERSION)
    rating = forms.TypedChoiceField(
        label=gettext_lazy("Rating"),
        choices=[("", "—"), *((str(rating), "★" * rating) for rating in RATINGS)],
        coerce=int,
        empty_value=None,
        required=False,
    )
    tags = forms.CharField(
        label=gettext_lazy("Tags"),
        max_length=400,
        required=False,
        help_text=gettext_lazy("Separated by commas; case is ignored."),
    )
    note = forms.CharField(
        label=gettext_lazy("Note"), max_length=LONGEST_NOTE, required=False, widget=forms.Textarea(attrs={"rows": 6})
    )

    def clean_tags(self) -> tuple[str, ...]:
        """The tags in lower case, without duplicates, in the order of the text."""
        tags = list(dict.fromkeys(" ".join(tag.split()).lower() for tag in self.cleaned_data["tags"].split(",")))
        tags = [tag for tag in tags if tag]
        if len(tags) > MOST_TAGS or any(len(tag) > LONGEST_TAG for tag in tags):
            limits = {"most": MOST_TAGS, "longest": LONGEST_TAG}
            raise forms.ValidationError(_("At most %(most)d tags, each of at most %(longest)d characters.") % limits)
        return tuple(tags)

    @property
    def remark(self) -> Remark:
        """The remark of a valid form."""
        fields = self.cleaned_data
        return Remark(fields["rating"], fields["tags"], fields["note"])
