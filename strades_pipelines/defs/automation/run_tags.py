"""Tags of runs that Dagster itself reads: which run goes first, and whether a failed one is retried."""

# Among runs that wait in the queue or for a pool the highest goes first. Without the tag a run has 0, as fetches have.
# Trades have 2, what keeps up with the current month 1, past months -1.
PRIORITY = "dagster/priority"
# Retries failed steps too, which is what a lost database leaves: a sensor does not request the same work again.
RETRIED = {"dagster/retry_on_asset_or_op_failure": "true"}
# Dagster sets these: whether it will retry a failed run, and on the failed run the id of the retry.
WILL_RETRY_TAG, AUTO_RETRY_RUN_ID_TAG = "dagster/will_retry", "dagster/auto_retry_run_id"
