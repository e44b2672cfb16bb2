"""Codes that are stored in English, as words of the person's language."""

from django.utils.translation import gettext, gettext_noop

WORDS = {
    # Orders.
    gettext_noop("planned"),
    gettext_noop("submitting"),
    gettext_noop("unknown"),
    gettext_noop("accepted"),
    gettext_noop("partially_filled"),
    gettext_noop("filled"),
    gettext_noop("cancelling"),
    gettext_noop("replaced"),
    gettext_noop("cancelled"),
    gettext_noop("rejected"),
    gettext_noop("expired"),
    # Types of orders.
    gettext_noop("market"),
    gettext_noop("limit"),
    gettext_noop("stop"),
    gettext_noop("stop_limit"),
    gettext_noop("trailing_stop"),
    # Outcomes of a command.
    gettext_noop("resumed"),
    gettext_noop("flattened"),
    # Wallets.
    gettext_noop("active"),
    gettext_noop("reducing"),
    gettext_noop("halted"),
    gettext_noop("retiring"),
    gettext_noop("retired"),
    gettext_noop("paper"),
    gettext_noop("live"),
    gettext_noop("replay"),
    # Answers to an event.
    gettext_noop("yes"),
    gettext_noop("maybe"),
    gettext_noop("waiting"),
    gettext_noop("no"),
    # Entries of the agenda.
    gettext_noop("schedule"),
    gettext_noop("run"),
    gettext_noop("session"),
    gettext_noop("release"),
    gettext_noop("intent"),
    # Outcomes of a fetch, and how the knowledge time of a record was determined.
    gettext_noop("stored"),
    gettext_noop("not_modified"),
    gettext_noop("failed"),
    gettext_noop("stated"),
    gettext_noop("assumed"),
    gettext_noop("observed"),
    # Why a bar is missing (cleaned.gaps).
    gettext_noop("before_listing_start"),
    gettext_noop("no_trades"),
    gettext_noop("rows_refused"),
    gettext_noop("fetch_failed"),
    gettext_noop("beyond_reach"),
    gettext_noop("not_fetched"),
    gettext_noop("excluded"),
}


def word_of(code: str) -> str:
    """The word for a state, mode or cause; what has none stays as it is stored."""
    return gettext(code).replace("_", " ") if code in WORDS else code
