"""What changed between two versions of a text, in words, whatever a feed sends."""

from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.text_diff import MOST_DIFFS, MOST_WORDS, Piece, diff_versions, diff_words


def test_only_the_words_that_changed_are_removed_and_added() -> None:
    pieces = diff_words("Profit of Apple doubles in May", "Profit of Apple halves in May")
    assert pieces == [
        Piece("same", "Profit of Apple "),
        Piece("removed", "doubles "),
        Piece("added", "halves "),
        Piece("same", "in May"),
    ]
    assert diff_words("the same", "the same") == []


@given(st.text(max_size=200), st.text(max_size=200))
def test_each_text_can_be_read_from_the_pieces(before: str, after: str) -> None:
    pieces = diff_words(before, after)
    if pieces:
        for side, text in (("removed", before), ("added", after)):
            assert "".join(piece.text for piece in pieces if piece.kind in ("same", side)).split() == text.split()


def test_each_version_is_compared_with_the_one_before_it_and_old_ones_are_not() -> None:
    assert diff_versions(["b", "a"]) == [[Piece("removed", "a"), Piece("added", "b")], []]
    found = diff_versions([str(n) for n in range(30)])
    assert [bool(pieces) for pieces in found] == [True] * MOST_DIFFS + [False] * (30 - MOST_DIFFS)
    assert diff_versions([]) == []


@pytest.mark.parametrize(("same", "compared"), [(MOST_WORDS - 1, True), (MOST_WORDS, False)])
def test_a_text_is_compared_up_to_its_four_hundredth_word(same: int, compared: bool) -> None:
    assert MOST_WORDS == 400
    words = "".join(f"w{n} " for n in range(same))
    changed = [Piece("removed", "old"), Piece("added", "new")] if compared else []
    assert diff_words(f"{words}old", f"{words}new") == [Piece("same", words), *changed]


def test_long_and_monotonous_texts_end_soon() -> None:
    started = perf_counter()
    for word in ("a ", "a b ", "<script>"):
        diff_words(word * 50_000, "x " + word * 50_000)
    assert len(diff_words("a " * 9_000, "b " * 9_000)[0].text.split()) == MOST_WORDS
    assert perf_counter() - started < 20
