"""When the sandbox's companies file: each quarter five weeks after its end, each month once, while there are bars."""

from datetime import timedelta

import pytest

from sandbox.filing_calendar import CIKS, filings
from sandbox.stocks import raw_bars


@pytest.mark.parametrize("cik", ["0000320193", "0001326801"])
def test_reports_come_five_weeks_after_their_quarter_while_the_company_has_bars(cik: str) -> None:
    made = filings(7, cik)
    bars = raw_bars(CIKS[cik])
    assert [one.accepted for one in made] == sorted(one.accepted for one in made)
    assert bars[0].session <= made[0].accepted.date() <= made[-1].accepted.date() <= bars[-1].session
    reports = [one for one in made if one.form != "8-K"]
    assert {one.form for one in reports} == {"10-K", "10-Q"}
    assert {one.accepted.date() - one.period_end for one in reports} == {timedelta(days=35)}
    assert all((one.form == "10-K") == (one.period_end.month == 12) for one in reports)
    assert filings(7, cik) == made != filings(8, cik)
