"""Crawls are forks of one process: each answers for itself, and none takes another down."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import dagster as dg
import psycopg
import pytest

from strades_pipelines.resources.spiders import SpiderRunner
from tests.sandbox.serving import Served, served
from tests.scrapers.conftest import HELD, ask, plan_of

GATE = "https://api.gateio.ws/api/v4/spot/candlesticks?currency_pair=BTC_USDT&interval=1m&limit={}"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(now=HELD, extra=tmp_path_factory.mktemp("extra")) as server:
        yield server


@pytest.fixture
def spiders(sandbox: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[SpiderRunner]:
    monkeypatch.setenv("STRADES_SANDBOX_URL", sandbox.url)
    monkeypatch.setenv("STRADES_SANDBOX_NOW", HELD)
    runner = SpiderRunner()
    yield runner
    runner.teardown_after_execution(dg.build_init_resource_context())


def question(minute: int) -> dict[str, Any]:
    return ask(GATE.format(10 + minute))


def test_one_process_crawls_one_plan_after_the_other(
    spiders: SpiderRunner, connection: "psycopg.Connection[Any]", database_url: str
) -> None:
    for minute in range(3):
        assert spiders.run(plan_of(question(minute)), database=database_url)["stored"] == 1
    assert connection.execute("SELECT count(*) FROM rawsources.fetches").fetchone() == (3,)


def test_a_plan_that_cannot_be_used_says_why_and_the_next_is_crawled(spiders: SpiderRunner, database_url: str) -> None:
    with pytest.raises(dg.Failure, match=r"ended with 1: scrapers: plan.retries: expected to be a valid integer"):
        spiders.run(plan_of(question(0), retries="many"), database=database_url)
    assert spiders.run(plan_of(question(0)), database=database_url)["stored"] == 1


def test_a_killed_process_fails_its_plan_and_the_next_gets_another(spiders: SpiderRunner, database_url: str) -> None:
    assert spiders.run(plan_of(question(0)), database=database_url)["stored"] == 1
    assert spiders._server is not None
    os.kill(spiders._server.process.pid, signal.SIGKILL)
    with pytest.raises(dg.Failure, match="the spiders of test ended with -9"):
        spiders.run(plan_of(question(1)), database=database_url)
    assert spiders.run(plan_of(question(1)), database=database_url)["stored"] == 1
