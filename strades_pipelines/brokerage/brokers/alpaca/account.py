"""Which account at Alpaca orders go to: its address and its keys."""

from collections.abc import Mapping

from strades_pipelines.brokerage.brokers.alpaca.broker import PAPER_URL, AlpacaBroker, new_client
from strades_pipelines.secret_values import remember_secret
from strades_pipelines.settings import SettingsError, missing_secret, secret, settings

KEY, SECRET = "ALPACA_API_KEY", "ALPACA_SECRET_KEY"
# Of the first account at the sandbox's venue; they open nothing else.
SANDBOX_KEYS = "sandbox-key", "sandbox-secret"


def open_account(symbols: Mapping[int, str]) -> AlpacaBroker:
    """The broker of the account whose keys are in the environment; in the sandbox, of the sandbox's first account.

    Raises:
        SettingsError: a key is not set, or cannot be one.
    """
    return AlpacaBroker(new_client(*account_keys(), in_sandbox() or PAPER_URL), symbols)


def in_sandbox(path: str = "") -> str | None:
    """A path of the sandbox's Alpaca; None in the live world."""
    is_sandbox = settings().world == "sandbox"
    return f"{settings().sandbox_url}/paper-api.alpaca.markets{path}" if is_sandbox else None


def account_keys() -> tuple[str, str]:
    """Key and secret of the account.

    Raises:
        SettingsError: a key is not set, or cannot be one.
    """
    if settings().world == "sandbox":
        return SANDBOX_KEYS
    keys = []
    for name in (KEY, SECRET):
        value = secret(name)
        if value is None:
            raise SettingsError(missing_secret(name))
        remember_secret(value)
        keys.append(value)
    return keys[0], keys[1]
