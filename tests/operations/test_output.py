"""What a command prints to a terminal, and to what is none."""

import pytest

from strades_pipelines.operations.output import print_result, table

NAME = "a_wallet_with_a_name_that_takes_a_line_of_its_own_in_a_narrow_terminal"
ROWS = [{"wallet": NAME, "state": "active", "why": "what was said of it takes some forty letters"}]


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    print_result({}, False, [table("wallet state why", ROWS)])
    return capsys.readouterr().out


def test_what_another_program_reads_is_not_folded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    [line] = [line for line in printed(capsys).splitlines() if "active" in line]
    assert line.split() == [NAME, "active", *str(ROWS[0]["why"]).split()]


def test_columns_says_a_width_to_fold_to(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    out = printed(capsys)
    assert NAME not in out
    assert max(len(line) for line in out.splitlines()) <= 40
