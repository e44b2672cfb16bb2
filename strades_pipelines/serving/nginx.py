"""NGINX in front of the dashboard, Dagster and the dbt docs: its configuration, from the files of `deploy/nginx`."""

import os
import pwd
import re
import shutil
import socket
import ssl
from dataclasses import dataclass
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

from strades_pipelines.bad_input import BadInput
from strades_pipelines.origins import public_origins
from strades_pipelines.serving.certificate import local_certificate
from strades_pipelines.settings import PROJECT, Settings

TEMPLATES, TORRC = PROJECT / "deploy" / "nginx", PROJECT / "deploy" / "tor" / "torrc"
ONION_FILES = ("onion.conf", "torrc")  # those of an installation that has an onion service
# What a value may hold that is put into a configuration: no quote, no variable, no end of a line.
PATH, NAME, ADDRESS, ORIGIN = r'[^"\\$\x00-\x1f]+', r"[\w.-]+", r"[\w.-]+:\d{1,5}", r"https?://[\w.-]+(:\d+)?"
SOCKET, A_SOCKET = r'[^"\\$\x00-\x1f]{1,100}', "path of a Unix socket (100 letters at most)"  # sockaddr_un
HINT = "; a name with other letters than ASCII's is written as `xn--…`"
SECONDS = 8


class _Slots(Template):
    """`%{name}`: NGINX has its own variables behind dollar signs."""

    delimiter = "%"


@dataclass(frozen=True)
class Site:
    """What the configuration is filled in with.

    Args:
        folder: where the files are written, and found by NGINX.
        listen: host:port of the listener with TLS.
        origins: under which people reach it; `https://NAME[:PORT]` there, `http://NAME.onion` by Tor.
        dashboard_socket: the Unix socket of the dashboard: only what comes there may say whom it speaks for.
        onion_socket: the Unix socket on which the onion service is served.
        webserver: host:port of Dagster's webserver; `readonly` that of the one without mutations.
        docs: host:port of the dbt docs.
        certificate: chain and private key, PEM.
        user: as whom it works where root starts it; None: as whoever starts it.
        dashboard: host:port of the dashboard where NGINX cannot reach its socket; what is said there of a visitor's
            address is not believed, so all of them have that of NGINX.
    """

    folder: Path
    listen: str
    origins: frozenset[str]
    dashboard_socket: Path
    onion_socket: Path
    webserver: str
    readonly: str
    docs: str
    certificate: tuple[Path, Path]
    user: str | None = None
    dashboard: str | None = None

    @property
    def names(self) -> list[str]:
        """The host names of the listener with TLS."""
        return _hosts(self.origins, "https")

    @property
    def onion_names(self) -> list[str]:
        """The names of the onion service; empty where there is none."""
        return [name for name in _hosts(self.origins, "http") if name.endswith(".onion")]


def site(settings: Settings, folder: Path, sockets: Path) -> Site:
    """What `settings` say; files in `folder`, Unix sockets in `sockets`. Makes a certificate where none is named.

    Raises:
        BadInput: a certificate that is named and is not there, or a name for which none can be made.
    """
    origins = frozenset(public_origins(settings.public_host))
    names = [_checked("STRADES_PUBLIC_HOST", name, NAME) for name in _hosts(origins, "https")]
    return Site(
        folder=folder,
        listen=f"{settings.nginx_host}:{settings.nginx_port}",
        origins=origins,
        dashboard_socket=sockets / "dashboard.sock",
        onion_socket=sockets / "onion.sock",
        webserver=f"127.0.0.1:{settings.webserver_port}",
        readonly=f"127.0.0.1:{settings.readonly_port}",
        docs=f"127.0.0.1:{settings.docs_port}",
        certificate=_named_certificate(settings) or local_certificate(folder, names),
        # Else it would work as `nobody`. The environment, which sudo leaves as it was, may name somebody else.
        user=pwd.getpwuid(os.geteuid()).pw_name if os.geteuid() == 0 else None,
    )


def render(site: Site) -> dict[str, str]:
    """The files of the configuration, by their names.

    Raises:
        BadInput: a value that would be more than a value there.
    """
    origins = sorted(site.origins)
    dashboard = _checked(A_SOCKET, str(site.dashboard_socket), SOCKET)
    values = {
        "user": _checked("user", f"user {site.user};", rf"user {NAME};") if site.user else "",
        "listen": _checked("address", site.listen, ADDRESS),
        "names": " ".join(_checked("STRADES_PUBLIC_HOST", name, NAME) for name in site.names),
        "onion_names": " ".join(_checked("STRADES_PUBLIC_HOST", name, NAME) for name in site.onion_names),
        "origins": "\n".join(f'    "{_checked("STRADES_PUBLIC_HOST", each, ORIGIN)}" 0;' for each in origins),
        "dashboard": _checked("address", site.dashboard, ADDRESS) if site.dashboard else f"unix:{dashboard}",
        "onion_socket": _checked(A_SOCKET, str(site.onion_socket), SOCKET),
        "webserver": _checked("address", site.webserver, ADDRESS),
        "readonly": _checked("address", site.readonly, ADDRESS),
        "docs": _checked("address", site.docs, ADDRESS),
        "certificate": _checked("STRADES_TLS_CERTIFICATE_FILE", str(site.certificate[0]), PATH),
        "certificate_key": _checked("STRADES_TLS_KEY_FILE", str(site.certificate[1]), PATH),
        "folder": _checked("path", str(site.folder), PATH),
    }
    if not site.names:
        raise BadInput("STRADES_PUBLIC_HOST: expected a name for TLS, host[:port], besides those of http://")
    templates = [*sorted(TEMPLATES.glob("*.conf")), TORRC]
    return {
        path.name: _Slots(path.read_text(encoding="utf-8")).substitute(values)
        for path in templates
        if site.onion_names or path.name not in ONION_FILES
    }


def write(site: Site) -> None:
    """Write the configuration into its folder, for its owner alone, and remove what an earlier one had besides.

    That is also the onion's socket where nobody listens on it: an NGINX that was killed leaves it, so that the next
    one cannot listen.
    """
    files = render(site)
    site.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ONION_FILES:
        (site.folder / name).unlink(missing_ok=True)
    for name, text in files.items():
        (site.folder / name).write_text(text, encoding="utf-8")
        (site.folder / name).chmod(0o600)
    _remove_unheard(site.onion_socket)


def _remove_unheard(path: Path) -> None:
    """Remove a Unix socket that nobody listens on; one that answers, or is no socket, stays."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX) as asking:
        try:
            asking.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)


def program() -> str:
    """The path of NGINX.

    Raises:
        BadInput: there is none.
    """
    # On Debian NGINX lies where the path of a user without rights does not lead.
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin")
    if found is None:
        raise BadInput("nginx is not installed; on Debian: apt-get install nginx, and on macOS: brew install nginx")
    return found


def command(folder: Path) -> list[str]:
    """The command line that serves what stands in `folder`, in the foreground."""
    return [program(), "-p", f"{folder}/", "-c", str(folder / "nginx.conf"), "-e", "stderr"]


def nginx_answers(port: int) -> str | None:
    """Probe: NGINX answers over TLS and hands a request on to the dashboard; None, or what is wrong."""
    # Whether it answers is asked, of an address of this machine; whose certificate it shows is the browsers' matter.
    unverified = ssl.create_default_context()
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    connection = HTTPSConnection("127.0.0.1", port, timeout=SECONDS, context=unverified)
    try:
        connection.request("GET", "/health/", headers={"Host": "health"})
        status = connection.getresponse().status
    except (OSError, HTTPException):
        return "does not answer"
    finally:
        connection.close()
    return None if status == 200 else f"answers {status}"


def _named_certificate(settings: Settings) -> tuple[Path, Path] | None:
    # NGINX would look for a relative path below its own folder.
    both = [path and path.resolve() for path in (settings.tls_certificate_file, settings.tls_key_file)]
    for path in both:
        if path is not None and not path.is_file():
            raise BadInput(f"STRADES_TLS_CERTIFICATE_FILE, STRADES_TLS_KEY_FILE: {path} is no file")
    # An empty file counts as none: Compose has no optional secrets.
    filled = [path for path in both if path is not None and path.stat().st_size]
    if len(filled) == 1:
        raise BadInput("STRADES_TLS_CERTIFICATE_FILE, STRADES_TLS_KEY_FILE: expected both, or neither")
    return (filled[0], filled[1]) if filled else None


def _hosts(origins: frozenset[str], scheme: str) -> list[str]:
    return sorted({str(parts.hostname) for parts in map(urlsplit, origins) if parts.scheme == scheme})


def _checked(what: str, value: str, expected: str) -> str:
    if re.fullmatch(expected, value, re.ASCII) is None:
        hint = HINT if expected == NAME and not value.isascii() else ""
        raise BadInput(f"{what}: {value!r} cannot stand in a configuration of NGINX{hint}")
    return value
