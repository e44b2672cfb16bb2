"""A small code location for the tests of the webserver: an asset with a check, a job, and a sensor that runs."""

import dagster as dg


@dg.asset
def bars() -> None:
    """An asset that anyone may say is materialized, where nothing forbids it."""


@dg.asset_check(asset=bars)
def is_complete() -> dg.AssetCheckResult:
    """A check whose result decides what goes on."""
    return dg.AssetCheckResult(passed=False)


@dg.op
def trade() -> None:
    """What a stranger must not start."""


@dg.job
def trade_job() -> None:
    """One op."""
    trade()


@dg.sensor(job=trade_job, default_status=dg.DefaultSensorStatus.RUNNING, minimum_interval_seconds=3600)
def trade_sensor() -> dg.SkipReason:
    """What a stranger must not stop."""
    return dg.SkipReason("nothing to do")


definitions = dg.Definitions(assets=[bars], asset_checks=[is_complete], jobs=[trade_job], sensors=[trade_sensor])
