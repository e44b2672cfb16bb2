"""Verify: a wallet worked out again from its fills and movements, and the difference with what is stored."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboard.core.frame import installation_of
from dashboard.gateway import verification as gateway
from dashboard.gateway.reading import snapshot
from dashboard.results.performance import setting_or_404

# Of more lines each is held beside its fill when that is asked for, or a sum differs: it takes longer than all sums
# (0.36 s of the processor for 100,000 fills, 2026-11-30).
MOST_LINES = 50_000


@require_safe
def verification(request: HttpRequest, name: str) -> HttpResponse:
    """Each figure of one wallet beside itself; all must differ by nothing.

    With `lines` in the address each line of a long ledger is held beside its fill too.
    """
    with snapshot():
        wallet = setting_or_404(name)
        has_bars = wallet.interval != "1d" or installation_of(request).has_daily_bars
        newest = gateway.read_newest_equity(name) if has_bars else None
        rows = gateway.read_comparisons(name, newest)
        wrong = next((row for row in rows if row.difference), None)
        compares_lines = wrong is not None or "lines" in request.GET or gateway.count_lines(name) <= MOST_LINES
        first = gateway.read_first_difference(name) if compares_lines else None
    context = {
        "wallet": wallet,
        "rows": rows,
        "newest": newest,
        "wrong": wrong,
        "unpriced": any(row.difference is None for row in rows),
        "first": first,
        "compares_lines": compares_lines,
        "queries": [
            text.strip() for text in (gateway.sums_query(newest.interval if newest else None), gateway.FIRST_DIFFERENCE)
        ],
    }
    return render(request, "results/verification.html", context)
