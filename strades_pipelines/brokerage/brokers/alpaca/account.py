"""Which account at Alpaca orders go to: its address and its keys."""

from collections.abc import Mapping

from strades_pipelines.brokerage.brokers.alpaca.broker import LIVE_URL, PAPER_URL, AlpacaBroker, new_client
from strades_pipelines.secret_values import remember_secret
from strades_pipelines.settings import SettingsError, missing_secret, secret, settings

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
    if settings().world == "sandbox":
        return AlpacaBroker(new_client(*SANDBOX_KEYS, f"{settings().sandbox_url}/paper-api.alpaca.markets"), symbols)
    keys = []
    for name in LIVE_KEYS if is_live else PAPER_KEYS:
        value = secret(name)
        if value is None:
            raise SettingsError(missing_secret(name))
        remember_secret(value)
        keys.append(value)
    return AlpacaBroker(new_client(keys[0], keys[1], LIVE_URL if is_live else PAPER_URL), symbols)
