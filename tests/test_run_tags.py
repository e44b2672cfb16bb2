"""Tags of runs mean something to Dagster: they are those that it reads and sets."""

from dagster._core.storage import tags

from strades_pipelines.defs.automation import run_tags


def test_the_tags_are_dagsters_own() -> None:
    assert run_tags.PRIORITY == tags.PRIORITY_TAG
    assert list(run_tags.RETRIED) == [tags.RETRY_ON_ASSET_OR_OP_FAILURE_TAG]
    assert run_tags.WILL_RETRY_TAG == tags.WILL_RETRY_TAG
    assert run_tags.AUTO_RETRY_RUN_ID_TAG == tags.AUTO_RETRY_RUN_ID_TAG
