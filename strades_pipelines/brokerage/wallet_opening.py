"""Open a wallet in the database as Wallets.json describes it: once, and its setting is never changed."""

from datetime import datetime

from strades_pipelines.brokerage.portfolio import Wallet, load_wallet
from strades_pipelines.brokerage.prices import Connection, find_listings
from strades_pipelines.brokerage.sleeves import store_sleeves
from strades_pipelines.brokerage.trading_rows import cash_row, insert, line_row
from strades_pipelines.brokerage.wallet_rows import sleeve_row, wallet_row
from strades_pipelines.brokerage.wallets import WalletsError, WalletTemplate
from strades_pipelines.database.crash import crash_point
from strades_pipelines.market.ledger_chain import chain, deposit


def open_wallet(connection: Connection, template: WalletTemplate, *, now: datetime) -> Wallet:
    """Open a wallet with its deposit, unless it is open already, and return it. Commits.

    A sleeve whose strategy cannot be made is not opened, and one that is open stays as it is.

    Raises:
        LookupError: for an instrument the database does not know.
        WalletsError: when it cannot trade, or is open with another setting, which would mix two stories in one ledger.
    """
    # As the file lists them: a strategy that cannot be made now must not be retired for it.
    listed = [one.name for one in template.sleeves]
    template = template.usable_part()
    template.check()
    with connection.cursor() as cursor:
        find_listings(cursor, template.instruments)
    row = wallet_row(template, template.name, opened_at=template.opened_at or now, window_end=None, as_of=None)
    is_new = insert(connection, "trading.wallets", row)
    if is_new:
        opening = deposit(template.name, template.cash, template.currency, row["opened_at"])
        for line in chain(template.name, [opening]):
            insert(connection, "trading.ledger", line_row(line, template.name))
        cash = cash_row(template.name, template.currency, template.cash, row["opened_at"])
        insert(connection, "trading.cash", cash)
    # A strategy may be mended; the wallet says with which code it goes on. Its owner may change its limits at any time.
    connection.execute(
        "UPDATE trading.wallets SET code_hash = %s, max_decision_age = %s, limits = %s, dead_man_seconds = %s "
        "WHERE wallet = %s",
        [row["code_hash"], template.max_age, row["limits"], template.dead_man_seconds, template.name],
    )
    if template.sleeves:
        # One that joins later opens when it is first seen: it does not decide on the past.
        opened_at = row["opened_at"] if is_new else now
        rows = [sleeve_row(template.name, one, opened_at=opened_at) for one in template.sleeves]
        store_sleeves(connection, template.name, rows, listed=listed, now=now)
    # One that was taken out of the file and is listed again goes on, and one that was halted stays so.
    connection.execute(
        "UPDATE trading.wallets SET state = coalesce(state_before, 'active'), state_reason = reason_before "
        "WHERE wallet = %s AND state IN ('retiring', 'retired')",
        [template.name],
    )
    wallet = load_wallet(connection, template.name)
    _check_unchanged(wallet, template)
    connection.commit()
    crash_point("trading.wallet_opened")
    return wallet


def _check_unchanged(wallet: Wallet, template: WalletTemplate) -> None:
    for name, opened, wanted in (
        ("mode", wallet.mode, template.mode),
        ("broker", wallet.broker, template.broker),
        ("strategy", wallet.strategy, template.strategy),
        ("parameters", wallet.parameters, template.new_strategy().parameters),
        ("instruments", tuple(listing.name for listing in wallet.listings), template.instruments),
        ("interval", wallet.interval, template.interval),
        ("every", wallet.every, template.every),
        ("currency", wallet.currency, template.currency),
        ("cash", wallet.opening_cash, template.cash),
        ("fee_percent", wallet.fee_rate * 100, template.fee_rate * 100),
    ):
        if opened != wanted:
            raise WalletsError(
                f"wallet {wallet.name}: {name}: expected {opened}, as it was opened, was {wanted}; use a new name"
            )
    known = {sleeve.name: sleeve for sleeve in wallet.sleeves}
    for one in template.sleeves:
        sleeve = known[one.name]
        was = sleeve.strategy, sleeve.parameters, tuple(sleeve.instruments)
        written = one.strategy, one.new_strategy().parameters, one.instruments
        if was != written:
            raise WalletsError(
                f"wallet {wallet.name}: strategy {one.name}: expected {was}, as it was opened, was {written}; "
                "use a new name for it"
            )
