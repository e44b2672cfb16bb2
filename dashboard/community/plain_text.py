"""Text that people type for others: what would make it read other than it is, is refused or taken out."""

import unicodedata
from typing import Any

from django import forms
from django.utils.translation import gettext as _

# Embeddings, overrides and isolates of direction, marks, and letters without width: `gpj.exe` is shown as `exe.jpg`.
DIRECTIONS = frozenset("\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff")


def readable(text: str) -> str:
    """The text without control characters (but line ends and tabs) and without what changes its direction, in NFC."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = (one for one in plain if one in "\n\t" or (one not in DIRECTIONS and unicodedata.category(one) != "Cc"))
    return unicodedata.normalize("NFC", "".join(kept)).strip()


class NameField(forms.CharField):
    """One line that names something. Letters that cannot be seen are refused: two names would look alike."""

    def clean(self, value: Any) -> str:
        """The name, its blanks joined.

        Raises:
            ValidationError: it has letters that cannot be seen.
        """
        text = str(super().clean(value))
        if readable(text) != unicodedata.normalize("NFC", text):
            raise forms.ValidationError(_("Use letters that can be seen."))
        return " ".join(readable(text).split())


class ProseField(forms.CharField):
    """Lines of text: what cannot be seen is taken out."""

    widget = forms.Textarea(attrs={"rows": 5})

    def clean(self, value: Any) -> str:
        """The text as it is stored.

        Raises:
            ValidationError: nothing is left of a text that is needed.
        """
        text = readable(str(super().clean(value)))
        if self.required and not text:
            raise forms.ValidationError(self.error_messages["required"])
        return text
