"""A line of the log is one object, with the ids of the run, the source and the wallet that it is about."""

import json
import logging
from collections.abc import Callable

import dagster as dg
import pytest
import yaml  # type: ignore[import-untyped]

from strades_pipelines.brokerage.live import for_each
from strades_pipelines.settings import PROJECT
from strades_pipelines.system.json_logs import JsonFormatter, log_ids
from strades_pipelines.system.secret_values import remember_secret


@dg.asset(key=dg.AssetKey(["rawsources", "gateio"]))
def gateio(context: dg.AssetExecutionContext) -> None:
    """Says something, and fails."""
    context.log.warning('a "quoted"\nline')
    raise ValueError("no answer")


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_line_of_a_run_has_the_run_and_its_source(
    log_format: str, capsys: pytest.CaptureFixture[str], give_settings: Callable[..., None]
) -> None:
    """By the instance's own settings, as `dagster.yaml` has them."""
    give_settings(log_format=log_format)
    logs = yaml.safe_load((PROJECT / "dagster.yaml").read_text())["python_logs"]
    with dg.instance_for_test({"python_logs": logs}) as instance:
        done = dg.materialize([gateio], instance=instance, raise_on_error=False)
    assert not done.success
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    if log_format == "text":
        assert lines == []
        return
    [said] = [line for line in lines if "quoted" in line["message"]]
    assert (said["run"], said["source"], said["level"]) == (done.run_id, "gateio", "WARNING")
    assert said["at"].endswith("+00:00")
    assert any("no answer" in json.dumps(line) for line in lines)


def test_a_line_about_a_wallet_has_its_name_and_the_next_one_another(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.Logger("strades_pipelines.test")
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logger.addHandler(handler)

    def work(name: str) -> None:
        logger.info("at work")
        if name == "first":
            raise ValueError("it fails")

    for_each(["first", "second"], work, [])
    with log_ids(source="gateio"):
        logger.info("outside")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line.get("wallet"), line.get("source")) for line in lines] == [
        ("first", None), ("second", None), (None, "gateio"),
    ]  # fmt: skip


def test_a_secret_is_masked_also_in_a_traceback() -> None:
    remember_secret("a-key-of-a-broker")
    try:
        raise ValueError("refused a-key-of-a-broker")
    except ValueError as error:
        record = logging.LogRecord("x", logging.ERROR, "f", 1, "sent %s", ("a-key-of-a-broker",), None)
        record.exc_info = (type(error), error, error.__traceback__)
    line = JsonFormatter().format(record)
    assert "a-key-of-a-broker" not in line
    assert json.loads(line)["message"] == "sent ***"
    assert "refused ***" in json.loads(line)["error"]
