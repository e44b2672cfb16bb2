"""The broker, and the stream of orders, that a wallet's entry in Wallets.json names."""

from typing import TYPE_CHECKING

from strades_pipelines.brokerage.brokers.venue import AccountBroker, OrderStream
from strades_pipelines.settings import settings

if TYPE_CHECKING:
    from strades_pipelines.brokerage.portfolio import Wallet
    from strades_pipelines.brokerage.prices import Connection

CCXT = "ccxt:"  # a wallet's broker begins so where ccxt's name of the venue follows


def stream_for(broker: str, mode: str) -> OrderStream | None:
    """The stream of a broker's account, by its name and mode in Wallets.json; None where there is none.

    Raises:
        SettingsError: the account's keys are not set.
    """
    # Imported here: a wallet on paper needs neither alpaca-py nor ccxt.
    if broker == "alpaca":
        from strades_pipelines.brokerage.brokers.alpaca.stream import AlpacaStream

        return AlpacaStream(is_live=mode == "live")
    if broker.startswith(CCXT):
        from strades_pipelines.brokerage.brokers.ccxt.stream import CcxtStream

        return CcxtStream(broker.removeprefix(CCXT), is_live=mode == "live")
    return None


def venue_for(wallet: "Wallet", connection: "Connection") -> AccountBroker:
    """The venue of a wallet.

    Args:
        connection: for the paper venue alone; nobody else may use it, since its transactions are the venue's.

    Raises:
        ValueError: for a wallet whose mode has no venue, or that would trade live where that is not switched on.
        SettingsError: the account's keys are not set, or ccxt does not know the venue.
    """
    if wallet.mode not in ("paper", "live"):
        raise ValueError(f"wallet {wallet.name}: expected the mode paper or live, was {wallet.mode}")
    if wallet.mode == "live" and not settings().live_trading:
        raise ValueError(f"wallet {wallet.name}: live needs STRADES_LIVE_TRADING=true, was not set")
    symbols = {listing.listing_id: listing.symbol for listing in wallet.listings}
    if wallet.broker == "alpaca":
        from strades_pipelines.brokerage.brokers.alpaca.account import open_account

        return open_account(symbols, is_live=wallet.mode == "live")
    if wallet.broker.startswith(CCXT):
        from strades_pipelines.brokerage.brokers.ccxt.account import open_account as open_ccxt_account

        return open_ccxt_account(wallet.broker.removeprefix(CCXT), symbols, is_live=wallet.mode == "live")
    if wallet.mode == "live":
        raise ValueError(f"wallet {wallet.name}: expected a broker that trades live, was {wallet.broker}")
    from strades_pipelines.brokerage.brokers.paper import PaperBroker

    return PaperBroker(connection, wallet)
