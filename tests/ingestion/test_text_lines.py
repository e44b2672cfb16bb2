"""Texts of publishers on one line."""

from strades_pipelines.ingestion.text_lines import text_line, text_lines


def test_a_text_is_one_printable_line_or_none() -> None:
    assert text_line(" Rates\n\tstay\x00 as\u2028they are ") == "Rates stay as they are"
    assert [text_line(value) for value in ("", " \n", "\x1b", None, 7)] == [None] * 5


def test_each_text_of_a_list_is_there_once() -> None:
    assert text_lines(["Ada  Byron", None, "Ada Byron", "", "Eve"]) == ["Ada Byron", "Eve"]
