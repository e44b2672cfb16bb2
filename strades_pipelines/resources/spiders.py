"""Runs the Scrapy project in processes of its own: a second crawl in one process fails, and a crash stays there."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from itertools import count
from typing import Any

import dagster as dg
from pydantic import PrivateAttr

from strades_pipelines.settings import PROJECT, SettingsError, missing_secret, secret
from strades_pipelines.system.child_environment import without_secret_names
from strades_pipelines.system.processes import tied_to_this_process
from strades_pipelines.system.secret_values import masked, remember_secret

Answer = dict[str, Any]


class SpiderRunner(dg.ConfigurableResource[Any]):
    """Hands plans to the spiders and returns what they say of them.

    The process that crawls are forked from starts with the first plan and ends with the Dagster run.
    """

    _server: "CrawlServer | None" = PrivateAttr(default=None)
    _begun: "dict[str, tuple[Mapping[str, Any], Future[Answer]]]" = PrivateAttr(default_factory=dict)
    _run_id: str | None = PrivateAttr(default=None)

    def is_new_run(self, run_id: str) -> bool:
        """Whether this is the first question about that Dagster run."""
        known, self._run_id = self._run_id, run_id
        return known != run_id

    def begin(self, plan: Mapping[str, Any], *, database: str) -> None:
        """Start to fetch what `plan` asks for, and do not wait; `run` with the same plan waits for it.

        Args:
            database: where answers go: the same for all plans of a Dagster run.

        Raises:
            dg.Failure: the key that the plan names is not set.
        """
        self._begun[plan["source"]] = (plan, self._submit(plan, database))

    def begun_plan(self, source: str) -> Mapping[str, Any] | None:
        """The plan of the source's crawl that was begun and not waited for, or None."""
        return self._begun[source][0] if source in self._begun else None

    def run(self, plan: Mapping[str, Any], *, database: str) -> Answer:
        """Fetch what `plan` asks for; the bodies are in the database when this returns.

        Returns:
            The summary: `stored, not_modified, bytes, failed, seconds`; or `busy` where another process crawls this
            source now, and nothing was asked.

        Raises:
            dg.Failure: when the spiders could not work at all; single failed requests are in the summary.
        """
        begun = self._begun.pop(plan["source"], None)
        answer = (begun[1] if begun and begun[0] is plan else self._submit(plan, database)).result()
        lines = answer["out"].splitlines()
        if answer["code"] == -signal.SIGALRM:
            raise dg.Failure(f"the spiders of {plan['source']} were ended: their budget of time was long spent")
        if answer["code"] or not lines:
            complaint = masked((answer["error"].strip().splitlines() or ["no message"])[-1])
            raise dg.Failure(f"the spiders of {plan['source']} ended with {answer['code']}: {complaint}")
        summary: Answer = json.loads(lines[-1])
        return summary

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """End the process, and the crawls whose steps never came."""
        self._begun.clear()
        self._run_id = None
        if self._server is not None:
            self._server.close()
            self._server = None

    def _submit(self, plan: Mapping[str, Any], database: str) -> "Future[Answer]":
        secrets = _secrets_of(plan)
        if self._server is None or not self._server.is_alive():
            self._server = CrawlServer(database)  # where one was killed, the next plan gets another
        return self._server.submit({"plan": plan, "secrets": secrets})


class CrawlServer:
    """A `scrapers.forkserver` process; a thread of ours takes its answers, so that neither waits for the other."""

    def __init__(self, database: str) -> None:
        self.process = subprocess.Popen(
            tied_to_this_process([sys.executable, "-m", "scrapers.forkserver"]),
            env=without_secret_names(os.environ) | {"STRADES_SPIDER_DATABASE": database},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a crawl's is in its answer
            text=True,
            cwd=PROJECT,
        )
        self.answers: dict[int, Future[Answer]] = {}
        self.lock = threading.Lock()
        self.ids = count()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def is_alive(self) -> bool:
        """Whether it takes questions."""
        return self.reader.is_alive() and self.process.poll() is None

    def submit(self, question: Mapping[str, Any]) -> "Future[Answer]":
        """Ask for a crawl; the answer has `code`, `out` and `error`."""
        answer: Future[Answer] = Future()
        with self.lock:
            number = next(self.ids)
            self.answers[number] = answer
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps({"id": number, **question}) + "\n")
            self.process.stdin.flush()
        except OSError:
            self.reader.join()  # it answers for a server that ended
        if not self.reader.is_alive():
            self._answer_for_ended_server()
        return answer

    def close(self) -> None:
        """Let it end, which ends its crawls."""
        assert self.process.stdin is not None
        with suppress(OSError):
            self.process.stdin.close()
        self.reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with suppress(OSError, ValueError):
            for line in self.process.stdout:
                answer = json.loads(line)
                with self.lock:
                    future = self.answers.pop(answer["id"])
                future.set_result(answer)
        self._answer_for_ended_server()

    def _answer_for_ended_server(self) -> None:
        code = self.process.wait()
        with self.lock:
            open_answers = list(self.answers.values())
            self.answers.clear()
        for future in open_answers:
            future.set_result({"code": code, "out": "", "error": "try `python -m scrapers.forkserver` to see why"})


def _secrets_of(plan: Mapping[str, Any]) -> dict[str, str]:
    """The secrets that a plan needs by their variables, for its crawl alone."""
    found, auth = {}, plan.get("auth")
    while auth:
        variable = auth["variable"]
        try:
            value = secret(variable)
        except SettingsError as error:
            raise dg.Failure(str(error)) from None
        if value is None:
            protocols = {request["protocol"] for request in plan["requests"]} or {plan["source"]}
            raise dg.Failure(f"protocol {', '.join(protocols)}: {missing_secret(variable)}")
        remember_secret(value)
        found[variable] = value
        auth = auth.get("second")
    return found
