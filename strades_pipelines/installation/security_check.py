"""`strades doctor --security`: an installation against docs/security.md. It asks what runs, and changes nothing."""

import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from email.message import Message
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import psutil
import psycopg

from strades_pipelines.database.connection import connect, embedded_server, server_url
from strades_pipelines.database.roles import DASHBOARD_ROLE, SERVICE_ROLE
from strades_pipelines.installation.examination import Finding
from strades_pipelines.origins import is_loopback
from strades_pipelines.settings import PROJECT, settings

SECONDS = 8
FOREIGN = "http://evil.example"
DEBUG_MARK = b"DEBUG = True"  # on Django's page for an error, where debugging is on
LOGINS = "SELECT rolname, rolsuper, rolname = %s FROM pg_roles WHERE rolcanlogin ORDER BY rolname"
LIVE = """
    SELECT w.wallet, l.reason FROM trading.wallets AS w LEFT JOIN trading.live_refusals AS l USING (wallet)
    WHERE w.mode = 'live' ORDER BY w.wallet
"""


class NotServed(Exception):
    """Nothing answers there, so that nothing can be said of it."""


def examine_security() -> list[Finding]:
    """Look at each thing in turn; what is not served is a warning, since nothing was seen of it."""
    looks: list[tuple[str, Callable[[], list[str]]]] = [
        ("listeners", lambda: exposed_listeners(_ports())),
        ("files of secrets", lambda: [f"others may read {path}: `chmod go= {path}`" for path in open_to_others()]),
        ("roles of the database", _role_faults),
        ("password of the database", _password_faults),
        *((name, partial(guard_faults, url)) for name, url in _dagster_pages().items()),
        ("dashboard", lambda: dashboard_faults(f"http://127.0.0.1:{settings().dashboard_port}")),
        ("what goes out", clear_text_faults),
        ("debugging", _debug_faults),
        ("live trading", _live_faults),
        ("accounts", _account_faults),
    ]
    return [_finding(what, look) for what, look in looks]


def _finding(what: str, look: Callable[[], list[str]]) -> Finding:
    try:
        faults = look()
    except NotServed as error:
        return Finding(what, True, f"{error}: start `strades up` and look again", warning=True)
    except Exception as error:
        return Finding(what, False, f"could not be looked at: {' '.join(str(error).split()) or type(error).__name__}")
    return Finding(what, not faults, "; ".join(faults) or "as docs/security.md says")


def _dagster_pages() -> dict[str, str]:
    """Where Dagster's webservers serve on this machine, by what is said of them."""
    ports = {"Dagster's pages": settings().webserver_port, "Dagster's read-only pages": settings().readonly_port}
    path = settings().dagster_path
    return {name: f"http://127.0.0.1:{port}{path}/" for name, port in ports.items() if port is not None}


def _ports() -> dict[str, int]:
    sandbox = urlsplit(settings().sandbox_url).port or 80
    found = {
        "webserver": settings().webserver_port,
        "read-only pages": settings().readonly_port,
        "docs": settings().docs_port,
        "dashboard": settings().dashboard_port,
        "metrics": settings().metrics_port,
        "NGINX": settings().nginx_port if settings().nginx_host == "127.0.0.1" else None,
        "sandbox": sandbox if settings().world == "sandbox" else None,
        "database": None if settings().database_url else urlsplit(embedded_server().url()).port,
    }
    return {name: port for name, port in found.items() if port is not None}


def exposed_listeners(ports: Mapping[str, int]) -> list[str]:
    """The parts whose port is open on another address than loopback, one line each."""
    names = {port: name for name, port in ports.items()}
    faults = []
    for each in psutil.net_connections("tcp"):
        if each.status == psutil.CONN_LISTEN and each.laddr.port in names:
            # An IPv6 address may have its interface behind a `%`.
            address = ip_address(each.laddr.ip.partition("%")[0])
            mapped = getattr(address, "ipv4_mapped", None)
            if not (mapped or address).is_loopback:
                place = f"{each.laddr.ip}:{each.laddr.port}"
                faults.append(f"{names[each.laddr.port]} listens at {place}: other machines may reach it")
    return faults


def open_to_others() -> list[Path]:
    """The files and folders of secrets that other users of this machine may read or enter."""
    home, archive, secrets = settings().home, settings().archive, PROJECT / "deploy" / "secrets"
    keys = settings().archive_store_keys
    private = [
        *(home, home / "run", home / "postgres" / "password", home / "backup.key", home / "dashboard.key"),
        home / "bundle-key.pem",
        *(home / "nginx" / "certificate.key", home / "nginx" / "onion" / "hs_ed25519_secret_key"),
        *(path for path in (archive, keys) if path is not None),
        PROJECT / ".env",
        *(path for path in secrets.glob("*") if not path.name.startswith(".")),
    ]
    found = [path for path in private if path.exists() and path.stat().st_mode & 0o077]
    key = settings().tls_key_file
    return [*found, key] if key is not None and key.exists() and _is_open_key(key.stat()) else found


def _is_open_key(found: os.stat_result) -> bool:
    """Whether others may read a key of TLS. That of root may be for a group, by which Strades reads it."""
    return bool(found.st_mode & (0o077 if found.st_uid == os.geteuid() else 0o007))


def _role_faults() -> list[str]:
    with psycopg.connect(server_url()) as connection:
        rows = connection.execute(LOGINS, [connection.info.user]).fetchall()
    with connect() as connection:
        row = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = session_user").fetchone()
    daily = ["the role of daily work is a superuser"] if row == (True,) else []
    return daily + role_faults(rows)


def role_faults(rows: Iterable[tuple[str, bool, bool]]) -> list[str]:
    """What is wrong with the roles that may log in.

    Args:
        rows: name, whether it is a superuser, whether it is the server's owner.
    """
    faults = []
    for name, is_superuser, is_owner in rows:
        if is_superuser and not is_owner:
            faults.append(f"role {name} is a superuser: ALTER ROLE {name} NOSUPERUSER")
        elif not is_owner and name not in (SERVICE_ROLE, DASHBOARD_ROLE):
            faults.append(f"role {name} may log in: ALTER ROLE {name} NOLOGIN, if you do not know it")
    return faults


def _password_faults() -> list[str]:
    parts = urlsplit(server_url())
    try:
        psycopg.connect(
            host=parts.hostname, port=parts.port or 5432, user=parts.username, dbname="postgres",
            password="", passfile=os.devnull, connect_timeout=SECONDS,
        ).close()  # fmt: skip
    except psycopg.OperationalError:
        return []
    return ["the database's owner is let in without a password: see pg_hba.conf"]


def guard_faults(url: str) -> list[str]:
    """What Dagster's pages answer to requests that a page of another site can have a browser send.

    Args:
        url: of the pages, with a slash at its end.
    """
    if ask(url)[0] != 200:
        raise NotServed(f"no page at {url}")
    attempts = {
        "with a foreign Origin": ask(url, {"Origin": FOREIGN})[0],
        "for a foreign Host": ask(url, {"Host": "evil.example"})[0],
        "of GraphQL by GET": ask(f"{url}graphql?query=%7Bversion%7D")[0],
    }
    return [f"a request {what} is answered with {code}, not 403" for what, code in attempts.items() if code != 403]


def dashboard_faults(url: str) -> list[str]:
    """What is wrong with the dashboard's cookies, its headers, and what it shows without a session."""
    code, headers, _ = ask(f"{url}/account/sign-in/")
    if code == 0:
        raise NotServed(f"no page at {url}")
    faults = [fault for cookie in headers.get_all("Set-Cookie") or () for fault in cookie_faults(cookie)]
    if "frame-ancestors 'none'" not in (headers.get("Content-Security-Policy") or ""):
        faults.append("no Content-Security-Policy against frames")
    code, _, body = ask(f"{url}/there-is-no-such-page/")
    if DEBUG_MARK in body:
        faults.append("its pages for errors show settings and source: DEBUG is on")
    if ask(f"{url}/people/")[0] == 200:
        faults.append("/people/ is shown without signing in")
    return faults


def cookie_faults(cookie: str) -> list[str]:
    """What a Set-Cookie lacks; Secure only where the dashboard has a name with TLS."""
    name, words = cookie.partition("=")[0], {word.strip().lower() for word in cookie.split(";")[1:]}
    wanted = {"httponly"} | ({"secure"} if _is_behind_tls() else set())
    faults = [f"cookie {name} is not {word}" for word in sorted(wanted - words)]
    if not words & {"samesite=lax", "samesite=strict"}:
        faults.append(f"cookie {name} is sent from other sites")
    return faults


def _is_behind_tls() -> bool:
    hosts = [host for host in settings().public_host.split(",") if host.strip()]
    return any(not host.strip().startswith("http://") for host in hosts)


def _debug_faults() -> list[str]:
    return ["STRADES_SHOW_TRACEBACKS is on: errors show paths and values"] if settings().show_tracebacks else []


def clear_text_faults() -> list[str]:
    """Services elsewhere that are sent keys or data without TLS, one line each; no line shows an address's keys."""
    places = {
        "STRADES_ARCHIVE_STORE": settings().archive_store,
        "STRADES_COLD_STORE": settings().cold_store,
        "STRADES_TRACES_URL": settings().traces_url,
        "STRADES_ALERT_WEBHOOK": settings().alert_webhook,
        "STRADES_ALERT_HEARTBEAT": settings().alert_heartbeat,
    }
    found = [name for name, place in places.items() if place is not None and _is_clear_text(place)]
    faults = [f"{name} names another machine without TLS: use https" for name in found]
    if "@" in urlsplit(settings().cold_store or "").netloc:
        faults.append("STRADES_COLD_STORE has keys in its address: put them into the environment or ~/.aws")
    return faults


def _is_clear_text(place: str) -> bool:
    parts = urlsplit(place.strip())
    if parts.scheme == "s3":
        asked = dict(parse_qsl(parts.query))
        host = asked.get("endpoint_override", "").removeprefix("http://").partition(":")[0]
        return asked.get("scheme") == "http" and not is_loopback(host)
    return parts.scheme == "http" and not is_loopback(parts.hostname or "")


def _live_faults() -> list[str]:
    with connect() as connection:
        rows: list[tuple[Any, ...]] = connection.execute(LIVE).fetchall()
    return live_faults([wallet for wallet, reason in rows if reason is None])


def live_faults(trading: list[str]) -> list[str]:
    """Live trading that is on for nobody, or for which one person is enough.

    Args:
        trading: the live wallets that are approved.
    """
    faults = []
    if settings().live_trading and not trading:
        faults.append("STRADES_LIVE_TRADING is on, and no live wallet is approved: set it to false")
    if settings().live_one_person and trading:
        faults.append(f"one person is enough to have {', '.join(trading)} trade live: STRADES_LIVE_ONE_PERSON")
    return faults


def _account_faults() -> list[str]:
    if settings().dashboard_signup == "open":
        return ["STRADES_DASHBOARD_SIGNUP is open: whoever reaches the port may become a viewer, who reads everything"]
    return []


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        """Follow none: where it leads is an answer of its own."""


def ask(url: str, headers: Mapping[str, str] | None = None) -> tuple[int, Message, bytes]:
    """The status, headers and body of an answer, whatever its status; 0 where nothing answers."""
    # No proxy of the environment: it is asked what this machine serves.
    opener = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, headers=dict(headers or {})), timeout=SECONDS) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()
    except OSError:
        return 0, Message(), b""
