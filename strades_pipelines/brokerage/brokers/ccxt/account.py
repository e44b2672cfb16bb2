"""Open the account at a ccxt venue that orders go to: its URL and its API keys."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from strades_pipelines.brokerage.brokers.ccxt.broker import CcxtBroker
from strades_pipelines.brokerage.brokers.ccxt.client import Client
from strades_pipelines.settings import SettingsError, missing_secret, secret, settings
from strades_pipelines.system.secret_values import remember_secret

# ccxt's name of a credential, and the suffix of its environment variable: GATE_API_KEY, GATE_SECRET_KEY.
CREDENTIALS = {"apiKey": "API_KEY", "secret": "SECRET_KEY", "password": "PASSWORD", "uid": "UID"}
# Keys of the first account at the sandbox's venue, which imitates Gate.io; useless anywhere else.
SANDBOX_KEYS = {"apiKey": "sandbox-key", "secret": "sandbox-secret"}
SANDBOX_PATHS = {"gate": "api.gateio.ws/api/v4", "gateio": "api.gateio.ws/api/v4"}


def open_account(venue: str, symbols: Mapping[int, str], *, is_live: bool) -> CcxtBroker:
    """The broker of the account whose keys are in the environment, or of the sandbox's first account.

    Args:
        venue: as ccxt names it.
        symbols: the venue's symbol by listing id.
        is_live: trade at the venue itself, not at its test network.

    Raises:
        SettingsError: ccxt does not know the venue, it has no test network, or a key is missing or malformed.
    """
    if settings().world == "sandbox":
        return CcxtBroker(_sandbox_client(venue, settings().sandbox_url), symbols)
    return CcxtBroker(_client(venue, is_live), symbols)


def new_stream_exchange(venue: str, *, is_live: bool) -> Any:
    """A ccxt.pro client of the same account, for its streams.

    Raises:
        SettingsError: as for `open_account`.
    """
    import ccxt.pro

    if venue not in ccxt.pro.exchanges:
        raise SettingsError(f"broker: {venue} has no streams in ccxt")
    make = getattr(ccxt.pro, venue)
    if settings().world == "sandbox":
        exchange = make({**SANDBOX_KEYS, "urls": sandbox_urls(venue, settings().sandbox_url)})
    else:
        exchange = _with_account(make({}), venue, is_live=is_live)
    exchange.options |= {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}}
    return exchange


def new_exchange(venue: str, configuration: Mapping[str, Any]) -> Any:
    """A ccxt client of a venue.

    Raises:
        SettingsError: ccxt does not know it.
    """
    import ccxt

    if venue not in ccxt.exchanges:
        raise SettingsError(f"broker: expected ccxt: and a venue that ccxt {ccxt.__version__} knows, was {venue!r}")
    return getattr(ccxt, venue)(dict(configuration))


def sandbox_urls(venue: str, url: str) -> Mapping[str, Any]:
    """The sandbox's URLs for a venue, as ccxt's configuration `urls`.

    Raises:
        SettingsError: the sandbox does not imitate that venue.
    """
    if venue not in SANDBOX_PATHS:
        raise SettingsError(f"broker: the sandbox speaks as ccxt:{' and ccxt:'.join(SANDBOX_PATHS)}, was {venue!r}")
    rest = f"{url}/{SANDBOX_PATHS[venue]}"
    api = new_exchange(venue, {}).urls["api"]
    addresses: dict[str, Any] = {kind: dict.fromkeys(api[kind], rest) for kind in ("public", "private")}
    stream = rest.replace("http", "ws", 1).replace("/api/v4", "/ws/v4/")
    return {"api": addresses | {"spot": stream}}


# Cached for the life of the process: a client reads the venue's list of markets once, not in every pass.
@cache
def _sandbox_client(venue: str, url: str) -> Client:
    return Client(new_exchange(venue, {**SANDBOX_KEYS, "urls": sandbox_urls(venue, url)}))


@cache
def _client(venue: str, is_live: bool) -> Client:
    return Client(_with_account(new_exchange(venue, {}), venue, is_live=is_live))


def _with_account(exchange: Any, venue: str, *, is_live: bool) -> Any:
    """Select the exchange's network, and set the keys of the environment."""
    if not is_live:
        if not exchange.urls.get("test"):
            raise SettingsError(f"broker: {venue} has no test network, so no wallet can trade there in the mode paper")
        exchange.set_sandbox_mode(True)
    for name, ending in CREDENTIALS.items():
        if exchange.requiredCredentials.get(name):
            setattr(exchange, name, _required(f"{venue.upper()}_{ending}"))
    return exchange


def _required(name: str) -> str:
    value = secret(name)
    if value is None:
        raise SettingsError(missing_secret(name))
    remember_secret(value)
    return value
