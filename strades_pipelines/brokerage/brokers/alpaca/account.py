"""Which account at Alpaca orders go to: its address and its keys."""

from collections.abc import Mapping

from strades_pipelines.brokerage.brokers.alpaca.broker import LIVE_URL, PAPER_URL, AlpacaBroker, new_client
from strades_pipelines.settings import SettingsError, missing_secret, secret, settings
from strades_pipelines.system.secret_values import remember_secret

# Keys of their own, so that a paper wallet cannot reach the money by a wrong setting.
PAPER_KEYS = "ALPACA_API_KEY", "ALPACA_SECRET_KEY"
LIVE_KEYS = "ALPACA_LIVE_API_KEY", "ALPACA_LIVE_SECRET_KEY"
# Of the first account at the sandbox's venue; they open nothing else.
SANDBOX_KEYS = "sandbox-key", "sandbox-secret"


def open_account(symbols: Mapping[int, str], *, is_live: bool) -> AlpacaBroker:
    """The broker of the account whose keys are in the environment; in the sandbox, of the sandbox's first account.

    Raises:
        SettingsError: a key is not set, or cannot be one.
    """
    url = in_sandbox() or (LIVE_URL if is_live else PAPER_URL)
    return AlpacaBroker(new_client(*account_keys(is_live=is_live), url), symbols)


def in_sandbox(path: str = "") -> str | None:
    """A path of the sandbox's Alpaca; None in the live world."""
    is_sandbox = settings().world == "sandbox"
    return f"{settings().sandbox_url}/paper-api.alpaca.markets{path}" if is_sandbox else None


def account_keys(*, is_live: bool) -> tuple[str, str]:
    """Key and secret of the account.

    Raises:
        SettingsError: a key is not set, or cannot be one.
    """
    # Real keys are not even read here: a rehearsal cannot send them anywhere.
    if settings().world == "sandbox":
        return SANDBOX_KEYS
    keys = []
    for name in LIVE_KEYS if is_live else PAPER_KEYS:
        value = secret(name)
        if value is None:
            raise SettingsError(missing_secret(name))
        # Venues repeat keys in their error messages; what is remembered is masked in logs and rows.
        remember_secret(value)
        keys.append(value)
    return keys[0], keys[1]
