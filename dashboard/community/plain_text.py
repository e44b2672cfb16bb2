"""Text that people type for others: what would make it read other than it is, is refused or taken out."""

import unicodedata
from typing import Any

from django import forms
from django.core.validators import ProhibitNullCharactersValidator
from django.utils.translation import gettext as _

# Formats (Cf) are letters that nobody sees: marks and overrides of direction, by which `gpj.exe` is shown as `exe.jpg`,
# soft hyphens, tags. These two join or part letters: Persian is written with them, and emoji are.
JOINERS = "\u200c\u200d"
# Seen as blanks though they are letters or marks: fillers of Hangul, Braille without dots, joiners and variants.
BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | {chr(one) for one in range(0xFE00, 0xFE10)}


def readable(text: str) -> str:
    """The text without control characters (but line ends and tabs) and without formats, in NFC."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = (one for one in plain if one in "\n\t" or one in JOINERS or unicodedata.category(one) not in ("Cc", "Cf"))
    return unicodedata.normalize("NFC", "".join(kept)).strip()


class NameField(forms.CharField):
    """One line that names something. Letters that cannot be seen are refused: two names would look alike."""

    def to_python(self, value: Any) -> str:
        """The name in NFC, its blanks joined; its length is that of what is stored (NFC makes some letters two).

        Raises:
            ValidationError: it has letters that cannot be seen.
        """
        text = unicodedata.normalize("NFC", str(super().to_python(value)))
        if readable(text) != text or any(one in BLANKS or one in JOINERS for one in text):
            raise forms.ValidationError(_("Use letters that can be seen."))
        return " ".join(text.split())


class ProseField(forms.CharField):
    """Lines of text: what cannot be seen is taken out."""

    widget = forms.Textarea(attrs={"rows": 5})

    def to_python(self, value: Any) -> str:
        """The text as it is stored, whose length counts.

        Raises:
            ValidationError: it has a NUL.
        """
        text = str(super().to_python(value))
        ProhibitNullCharactersValidator()(text)
        return readable(text)
