"""A text about a bundle, from what stands in it: the facts, the template, and what no draft may say.

A draft is refused when it has a number that is not among the facts, in digits or in words. That keeps out invented
figures; it does not keep out a wrong sentence about a right one, such as a figure under another's name, or with another
sign, which is why somebody reads it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from strades_pipelines.bad_input import BadInput
from strades_pipelines.sharing.manifest import Manifest

LONGEST_DRAFT = 4000
# A percentage has two digits behind the point, as pages show it.
PERCENTAGES = {
    "total_return": "total return",
    "cagr": "return a year",
    "max_drawdown": "deepest drawdown",
    "exposure": "mean exposure",
}
RATIOS = {"sharpe": "Sharpe ratio", "sortino": "Sortino ratio", "profit_factor": "profit factor"}
COUNTS = {"fills": "fills", "trades": "round trips"}
_NUMBER = re.compile(r"\d+(?:[,\u00a0\u202f]\d{3})*(?:\.\d+)?")
_SCALED = re.compile(r"\d+[A-Za-z]\w*")
# `one`, `first` and `second` are also pronouns, order and time: they are let through.
_WORDS = re.compile(
    r"\b(?:zero|nil|nought|(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen)s?|"
    r"(?:twent|thirt|fort|fift|sixt|sevent|eight|ninet)(?:y|ies|ieths?)|(?:hundred|thousand|[a-z]*illion)(?:s|ths?)?|"
    r"dozens?|couple|half|halves|halved|halving|twice|thrice|quarter(?:s|ed)?|(?:third|fourth|fifth|sixth|seventh|"
    r"eighth|ninth|tenth|eleventh|twelfth|\w+teenth)s?|(?:doubl|tripl|trebl|quadrupl|quintupl|sextupl|multipl)"
    r"(?:e|es|ed|ing|y)|\w+fold)\b",
    re.IGNORECASE,
)


class DraftRefused(BadInput):
    """A draft says what does not stand in the facts; one line with the first such thing."""


@dataclass(frozen=True)
class Facts:
    """What a text may say: each figure as it is written, by its name, and who and what in words."""

    name: str
    version: str
    author: str
    licence: str
    instruments: tuple[str, ...]
    first_day: str
    last_day: str
    figures: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """What may hold digits and is no figure: not a name of digits alone, which no reader could tell from one."""
        names = (self.author, self.licence, f"{self.name} {self.version}", self.name, *self.instruments)
        return tuple(name for name in names if any(map(str.isalpha, name)) and not _WORDS.fullmatch(name))

    def lines(self) -> list[str]:
        """The facts as lines `name: value`."""
        words = {
            "bundle": f"{self.name} {self.version}",
            "author": self.author,
            "licence": self.licence,
            "instruments": ", ".join(self.instruments),
            "first day": self.first_day,
            "last day": self.last_day,
        }
        return [f"{name}: {text}" for name, text in {**words, **self.figures}.items()]


def facts_of(manifest: Manifest) -> Facts:
    """The facts of a bundle. Its title is not among them: it is what its author wants said."""
    claims = manifest.result.claims
    figures: dict[str, str] = {}
    for names, write in ((PERCENTAGES, _percent), (RATIOS, _ratio), (COUNTS, _count)):
        for name, word in names.items():
            value = claims.get(name)
            if value is not None:
                figures[word] = write(value)
    return Facts(
        manifest.name,
        manifest.version,
        manifest.fingerprint,
        manifest.licence,
        tuple(one.instrument for one in manifest.data),
        f"{min(one.first for one in manifest.data):%Y-%m-%d}",
        f"{max(one.last for one in manifest.data):%Y-%m-%d}",
        figures,
    )


def template_draft(facts: Facts, *, is_verified: bool) -> str:
    """The text that needs nobody: every fact in a sentence."""
    figures = "; ".join(f"{name} {text}" for name, text in facts.figures.items())
    standing = (
        "A run of the bundle gave the same figures."
        if is_verified
        else "These figures are its author's claims: no run has given the same."
    )
    return (
        f"{facts.name} {facts.version}, signed with the key {facts.author} ({facts.licence}), was run on "
        f"{', '.join(facts.instruments)} from {facts.first_day} to {facts.last_day}. Results of that run: {figures}. "
        f"{standing} A result of the past says nothing certain about the future."
    )


def check_draft(text: str, facts: Facts) -> str:
    """The draft, stripped, once it has no number that the facts have not.

    Raises:
        DraftRefused: with the first number that is not among them; an empty or a very long draft.
    """
    draft = text.strip()
    if not draft or len(draft) > LONGEST_DRAFT:
        raise DraftRefused(f"the draft: expected a text of at most {LONGEST_DRAFT} letters, found {len(draft)}")
    said = draft
    # The longest first: a short name within a long one would leave the rest of it.
    for text in sorted((*facts.names, facts.first_day, facts.last_day), key=len, reverse=True):
        said = re.sub(rf"(?<![\w.,%-]){re.escape(text)}(?![\w%-]|[.,]\w)", " ", said)  # whole, not as a part of another
    known = {_value(number) for text in facts.figures.values() for number in _NUMBER.findall(text)}
    for number in _NUMBER.findall(said):
        if _value(number) not in known:
            raise DraftRefused(f"the draft: expected numbers of the facts alone, found {number}")
    # Digits of other scripts, ½ and ³ are numbers that the pattern does not know; `5k` is another number than 5.
    for other in (*(one for one in said if one.isnumeric() and not "0" <= one <= "9"), *_SCALED.findall(said)):
        raise DraftRefused(f"the draft: expected numbers of the facts alone, found {other!r}")
    for word in _WORDS.findall(said):
        raise DraftRefused(f"the draft: expected numbers in digits, found {word!r}")
    return draft


def _value(number: str) -> Decimal:
    return Decimal(re.sub(r"[,\u00a0\u202f]", "", number)).normalize()


def _percent(value: float) -> str:
    return f"{value * 100:.2f} %"


def _ratio(value: float) -> str:
    return f"{value:.2f}"


def _count(value: float) -> str:
    return f"{int(value)}"
