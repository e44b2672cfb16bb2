"""The parts of `strades up`: a table, one entry each. To add a part, add an entry to `parts`."""

import os
import shlex
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from strades_pipelines.database.connection import (
    DAGSTER_DATABASE,
    WORLD_DATABASES,
    database_url,
    embedded_server,
    running_url,
    working_dashboard_url,
)
from strades_pipelines.database.roles import service_url
from strades_pipelines.datamanager.sources import SourcesError
from strades_pipelines.ingestion.streams.stream_sources import wanted_streams
from strades_pipelines.origins import public_origins
from strades_pipelines.serving import nginx
from strades_pipelines.serving.nginx_log import RepeatedErrors
from strades_pipelines.serving.sockets import code_socket
from strades_pipelines.settings import PROJECT, settings
from strades_pipelines.supervision.child import Child
from strades_pipelines.supervision.daemon_probe import DaemonProbe
from strades_pipelines.supervision.database_part import (
    EmbeddedDatabase,
    ForeignDatabase,
    database_answers,
    recorded_pid,
)
from strades_pipelines.supervision.part import Part
from strades_pipelines.supervision.probes import WebserverProbe, code_answers, page_answers, sandbox_answers
from strades_pipelines.supervision.process_table import is_stopped
from strades_pipelines.supervision.stream_probe import streams_answer
from strades_pipelines.supervision.supervisor import Supervisor
from strades_pipelines.system.child_environment import (
    for_dagster,
    for_dashboard,
    for_programs,
    for_reader,
    without_secrets,
)
from strades_pipelines.system.terminal import Output

LOCATION = ["--module-name", "strades_pipelines.definitions", "--location-name", "strades"]
Environment = Callable[[], Mapping[str, str]]


class Parts:
    """Makes the parts of this installation.

    Args:
        output: takes their lines.
        started: called with the name and process id of each start.
        supervisor: gives the supervisor that watches them, once it is there.
    """

    def __init__(
        self, output: Output, started: Callable[[str, int], None], supervisor: Callable[[], Supervisor]
    ) -> None:
        self._output, self._started, self._supervisor = output, started, supervisor
        self.children: dict[str, Child] = {}

    def all(self) -> list[Part]:
        """The parts, in the order in which they are started."""
        return [
            self._database(),
            *([self._sandbox()] if settings().world == "sandbox" else []),
            self._code(),
            self._webserver("webserver", settings().webserver_port),
            *([self._webserver("readonly", readonly, "--read-only")] if (readonly := settings().readonly_port) else []),
            self._daemon(),
            *([self._streams()] if wanted_streams(settings().sources) else []),
            self._docs(),
            *([self._metrics(port)] if (port := settings().metrics_port) else []),
            self._dashboard(),
            *([self._nginx()] if settings().nginx_port else []),
        ]

    def _database(self) -> Part:
        if settings().database_url is None:
            runner = EmbeddedDatabase(embedded_server(), partial(self._output.note, "database"))
            probe = partial(_asked, lambda: recorded_pid(embedded_server()), _embedded_answers)
            return Part("database", runner, probe)
        return Part("database", ForeignDatabase(), lambda: database_answers(database_url()), restartable=False)

    def _sandbox(self) -> Part:
        probe = partial(sandbox_answers, settings().sandbox_url)
        return self._part(
            "sandbox", lambda: [sys.executable, "-m", "sandbox"], lambda: without_secrets(os.environ), probe
        )

    def _code(self) -> Part:
        """Runs are its processes: those of the one before it are over, and are ended in Dagster's storage first."""
        probe = partial(code_answers, f"unix:{code_socket()}")

        def command() -> list[str]:
            code_socket().unlink(missing_ok=True)
            serve = ["api", "grpc", "--socket", str(code_socket()), *LOCATION]
            return [sys.executable, "-m", "strades_pipelines.orchestration.instance_setup", "then", *serve]

        return self._part("code", command, lambda: os.environ, probe, needs=("database",))

    def _webserver(self, name: str, port: int, *options: str) -> Part:
        """Dagster's pages behind the request guard."""
        module = [
            sys.executable,
            "-m",
            "strades_pipelines.serving.webserver",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
        ]
        command = [*module, "--workspace", str(PROJECT / "workspace.yaml"), *options]
        url = f"http://127.0.0.1:{port}{settings().dagster_path}"
        probe = WebserverProbe(url, lambda: self._supervisor().is_healthy("code"))
        return self._part(name, lambda: command, lambda: for_dagster(os.environ), probe, needs=("database", "code"))

    def _daemon(self) -> Part:
        command = [_program("dagster-daemon"), "run", "--workspace", str(PROJECT / "workspace.yaml")]
        probe = DaemonProbe(
            lambda: os.environ["DAGSTER_PG_URL"],
            running_url,
            lambda: self.children["daemon"].started_at,
            lambda: self._supervisor().quiet_since("daemon"),
        )
        return self._part(
            "daemon",
            lambda: command,
            lambda: for_dagster(os.environ),
            probe,
            needs=("database", "code"),
            folder=Path(os.environ["DAGSTER_HOME"]),  # Dagster's program takes all of a `.env` in its working folder
        )

    def _streams(self) -> Part:
        """The streams of the sources: a process of its own, which says itself how they do."""
        command = [sys.executable, "-m", "strades_pipelines.cli", "stream"]

        def probe() -> str | None:
            try:
                wanted = wanted_streams(settings().sources)
            except SourcesError:
                wanted = None  # the process that runs has read the file as it was before
            started = self.children["streams"]
            return streams_answer(running_url(WORLD_DATABASES[settings().world]), lambda: started.started_at, wanted)

        needs = ("database", "sandbox") if settings().world == "sandbox" else ("database",)
        return self._part("streams", lambda: command, lambda: os.environ, probe, needs=needs)

    def _docs(self) -> Part:
        """The page is made with the database at hand; the server of the page starts without any secret."""
        folder = settings().home / "docs"
        server = [sys.executable, "-m", "strades_pipelines.serving.docs_server", "--port", str(settings().docs_port)]
        visible = [f"{name}={value}" for name, value in without_secrets(os.environ).items()]
        # By `env -i`: what makes the page needs the database, what serves it no secret.
        serve = shlex.join(["env", "-i", *visible, *server, str(folder)])
        make = shlex.join([sys.executable, "-m", "strades_pipelines.defs.maintenance.docs"])
        probe = partial(page_answers, f"http://127.0.0.1:{settings().docs_port}/", "HEAD")
        command = ["sh", "-c", f"{make} && exec {serve}"]
        return self._part("docs", lambda: command, lambda: os.environ, probe, needs=("database",), start_seconds=600)

    def _metrics(self, port: int) -> Part:
        """Figures for Prometheus, read as the role of daily work."""
        command = [sys.executable, "-m", "strades_pipelines.serving.metrics_server", "--port", str(port)]
        probe = partial(page_answers, f"http://127.0.0.1:{port}/health")
        return self._part(
            "metrics", lambda: command, lambda: for_reader(os.environ, database_url()), probe, needs=("database",)
        )

    def _dashboard(self) -> Part:
        """The pages people work with; makes its tables and static files before it listens."""
        command = [sys.executable, "-m", "dashboard", "serve", "--port", str(settings().dashboard_port)]
        if settings().nginx_port:
            command += ["--socket", str(code_socket().with_name("dashboard.sock"))]
        probe = partial(page_answers, f"{dashboard_url()}/health/")
        return self._part(
            "dashboard",
            lambda: command,
            lambda: for_dashboard(os.environ, working_dashboard_url()),
            probe,
            needs=("database",),
        )

    def _nginx(self) -> Part:
        """NGINX in front of all pages; its configuration is written at each start.

        Raises:
            BadInput: the settings cannot be told to it.
        """
        folder = settings().home.resolve() / "nginx"
        described = nginx.site(settings(), folder, code_socket().parent)
        nginx.render(described)  # what is wrong with it is said before anything is served

        def command() -> list[str]:
            nginx.write(nginx.site(settings(), folder, code_socket().parent))
            return nginx.command(folder)

        probe = partial(nginx.nginx_answers, settings().nginx_port or 0)
        environment = partial(for_programs, os.environ)
        write = RepeatedErrors(self._output.write)
        return self._part(
            "nginx", command, environment, probe, needs=("dashboard",), folder=settings().home, write=write
        )

    def _part(
        self,
        name: str,
        command: Callable[[], list[str]],
        environment: Environment,
        probe: Callable[[], str | None],
        *,
        needs: tuple[str, ...] = (),
        start_seconds: float = 180,
        folder: Path = PROJECT,
        write: Callable[[str, str], None] | None = None,
    ) -> Part:
        """A part that is a program of ours; one that was stopped fails its probe at once."""
        child = Child(name, command, environment, folder, write or self._output.write, self._started)
        self.children[name] = child
        asked = partial(_asked, lambda: child.pid, probe)
        return Part(name, child, asked, needs, start_seconds, slack=3 if needs else 1)


def _asked(pid: Callable[[], int | None], probe: Callable[[], str | None]) -> str | None:
    """The result of a probe; a process that was stopped (SIGSTOP) need not be asked."""
    return "was stopped" if is_stopped(pid()) else probe()


def _embedded_answers() -> str | None:
    return database_answers(service_url(embedded_server().url(), DAGSTER_DATABASE))


def webserver_url() -> str:
    """Where Dagster's pages are."""
    return f"http://127.0.0.1:{settings().webserver_port}{settings().dagster_path}"


def dashboard_url() -> str:
    """Where the dashboard is."""
    return f"http://127.0.0.1:{settings().dashboard_port}"


class Pages(NamedTuple):
    """Where people find the pages."""

    dashboard: str
    dagster: str
    docs: str


def shown_at() -> Pages:
    """The addresses of the pages: those of NGINX where it serves."""
    if settings().nginx_port is None:
        return Pages(dashboard_url(), webserver_url(), f"http://127.0.0.1:{settings().docs_port}")
    names = public_origins(settings().public_host)
    first = min((each for each in names if each.startswith("https://")), key=lambda each: "127.0.0.1" in each)
    return Pages(f"{first}/", f"{first}/dagster/", f"{first}/dbt-docs/")


def _program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))
