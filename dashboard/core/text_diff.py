"""What changed from one version of a text to the next, word by word."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

WORDS = re.compile(r"\S+\s*")
# difflib compares each word with each: the text of a hostile feed is cut before it costs a second.
MOST_WORDS, MOST_DIFFS = 400, 5


@dataclass(frozen=True)
class Piece:
    """A stretch of words; `kind` is same, removed or added."""

    kind: str
    text: str


def diff_words(before: str, after: str) -> list[Piece]:
    """The words of both in one order; nothing where they are equal. Of each the first `MOST_WORDS` are compared."""
    if before == after:
        return []
    old, new = (WORDS.findall(text)[:MOST_WORDS] for text in (before, after))
    pieces: list[Piece] = []
    for kind, first, last, start, end in SequenceMatcher(None, old, new).get_opcodes():
        if kind == "equal":
            pieces.append(Piece("same", "".join(new[start:end])))
            continue
        removed, added = "".join(old[first:last]), "".join(new[start:end])
        pieces += [Piece(name, text) for name, text in (("removed", removed), ("added", added)) if text]
    return pieces


def diff_versions(texts: Sequence[str]) -> list[list[Piece]]:
    """For each of several versions, newest first, what it changed in the one before; the first of all changed nothing.

    Versions behind the newest `MOST_DIFFS` are not compared.
    """
    found = [diff_words(older, newer) for newer, older in pairwise(texts[: MOST_DIFFS + 1])]
    return found + [[]] * (len(texts) - len(found))
