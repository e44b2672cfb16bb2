"""Why this trade: from a decision (or an order, a fill, a prediction) down to the fetches that it rests on."""

from datetime import UTC

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_safe

from dashboard.gateway.bodies import describe
from dashboard.gateway.decisions import read_instrument, read_refusal
from dashboard.gateway.lineage import read_trace
from dashboard.gateway.reading import snapshot

# The steps from what was done back to what it rests on, as the page names them.
STEPS = (
    ("fill", gettext_noop("Fill")),
    ("order", gettext_noop("Order")),
    ("intent", gettext_noop("Intent (committed before anything was sent)")),
    ("decision", gettext_noop("Decision")),
    ("prediction", gettext_noop("Prediction")),
    ("model", gettext_noop("Model")),
    ("features", gettext_noop("Features, from what was known then")),
)
SHOWN_BARS = 15


@require_safe
def decision(request: HttpRequest, decision_id: str) -> HttpResponse:
    """The page of a decision."""
    return trace(request, decision_id)


@require_safe
def trace(request: HttpRequest, identity: str) -> HttpResponse:
    """The page of whatever has this id."""
    with snapshot():
        found = None if "\0" in identity else read_trace(identity)  # no text of PostgreSQL has a NUL
        decided = found.lineage.decision if found else None
        instrument = read_instrument(decided["listing_id"]) if decided else None
        refusal = read_refusal(decided["decision_id"]) if decided else None
    if found is None:
        raise Http404
    lineage = found.lineage
    rows = [(name, title, getattr(lineage, name)) for name, title in STEPS]
    context = {
        "identity": identity,
        "trace": found,
        "headline": decided or lineage.prediction,
        "instrument": instrument,
        # The market as it was known when it was decided.
        "then": decided["decided_at"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M") if decided else "",
        "refusal": refusal,
        "is_decision": lineage.decision is not None,
        "is_order": lineage.intent is not None and lineage.intent["intent_id"] == identity,
        "steps": [(name, title, describe(row)) for name, title, row in rows if row is not None],
        "bars": (lineage.records or lineage.cleaned)[-SHOWN_BARS:][::-1],
        "bar_count": len(lineage.records or lineage.cleaned),
    }
    return render(request, "trades/decision.html", context)
