"""Trials in this world's database too, while its server runs: seen by everyone who shares it."""

from collections.abc import Sequence

from strades_pipelines.analysis.trials import Trial
from strades_pipelines.settings import settings


def record_in_database(trials: Sequence[Trial], data_hash: str) -> dict[str, Trial]:
    """Keep trials of some data and return all of the data that are there, by key; none where no database runs.

    Research needs no database, so nothing is started, and one that does not answer is left alone.
    """
    # Only a server that runs has this file.
    if not settings().database_url and not (settings().home / "postgres/data/postmaster.pid").exists():
        return {}
    import psycopg

    from strades_pipelines.brokerage.trial_store import DatabaseTrialLedger

    ledger = DatabaseTrialLedger()
    try:
        ledger.record(trials)
        return {trial.key: trial for trial in ledger.of_data(data_hash)}
    except psycopg.Error:  # no server, or no database yet: `strades run` makes it
        return {}
