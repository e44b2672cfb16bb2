"""Who decides in a wallet: of each strategy that shares it its own books, the state it is in, and its models."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from strades_pipelines.brokerage.model_trust import Standings, read_standings
from strades_pipelines.brokerage.movements import cash_flows
from strades_pipelines.brokerage.owner_positions import read_owner_positions
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.sleeves import UNATTRIBUTED
from strades_pipelines.market.books import Books
from strades_pipelines.market.cost_basis import sum_exact
from strades_pipelines.market.order_checks import Rules
from strades_pipelines.market.order_terms import Order, TradingDecision
from strades_pipelines.market.owners import own_cash
from strades_pipelines.market.rounding import EXACT


@dataclass(frozen=True)
class OwnerAccount:
    """What the gate goes by for one owner.

    Args:
        books: None where the wallet's are its own.
        fault: why its strategy, and so its models, cannot be made; in one line.
    """

    rules: Rules
    standings: Standings
    books: Books | None = None
    fault: str | None = None


@dataclass(frozen=True)
class OwnerAccounts:
    """Of each owner of a wallet; one with a single strategy has one owner."""

    wallet: Wallet
    accounts: Mapping[str, OwnerAccount]

    def of(self, decision: TradingDecision) -> OwnerAccount:
        """What a decision goes by; a person's by the state that counts for a person, and by the wallet's opening."""
        account = self.accounts[self.wallet.owner_of(decision.strategy)]
        if not decision.is_by_person:
            return account
        state = self.wallet.states.of(decision.strategy, is_by_person=True)
        holder = "wallet" if state == self.wallet.state else "strategy"
        return replace(account, rules=replace(self.wallet.rules, state=state, holder=holder))

    def add_order(self, order: Order) -> None:
        """Take an order into its owner's books."""
        books = self.accounts[self.wallet.owner_of(order.strategy)].books
        if books is not None:
            books.open_orders[order.intent_id] = order

    def remove_order(self, order: Order) -> None:
        """Take it out again."""
        books = self.accounts[self.wallet.owner_of(order.strategy)].books
        if books is not None:
            books.open_orders.pop(order.intent_id, None)


def read_owner_accounts(
    connection: Connection, wallet: Wallet, books: Books, deciding: Collection[str]
) -> OwnerAccounts:
    """The owners of a wallet as they are now.

    Args:
        books: of the wallet, with all that is under way.
        deciding: the strategies whose models are asked for; what a person decided rests on none.
    """
    if not wallet.sleeves:
        account = OwnerAccount(wallet.rules, Standings())
        return OwnerAccounts(wallet, {UNATTRIBUTED: _with_models(connection, account, wallet) if deciding else account})
    own = own_books(connection, wallet, books)
    found = {UNATTRIBUTED: OwnerAccount(wallet.rules, Standings(), own[UNATTRIBUTED])}
    for sleeve in wallet.sleeves:
        view = wallet.view_of(sleeve)
        holder = "wallet" if sleeve.state == wallet.state else "strategy"
        rules = replace(wallet.rules, opened_at=view.opened_at, state=sleeve.state, holder=holder)
        account = OwnerAccount(rules, Standings(), own[sleeve.name])
        asks = sleeve.name in deciding and sleeve.state != "retired"
        found[sleeve.name] = _with_models(connection, account, view) if asks else account
    return OwnerAccounts(wallet, found)


def own_books(connection: Connection, wallet: Wallet, books: Books) -> dict[str, Books]:
    """The books of each owner of a wallet with sleeves, with its own open orders of `books`.

    The cash of a sleeve is its part of the capital and what its fills made of it; nobody's is the wallet's.
    """
    positions = read_owner_positions(connection, wallet.name)
    paid_in = sum_exact(flow.amount for flow in cash_flows(connection, wallet))
    found = {}
    for sleeve in (*wallet.sleeves, None):
        owner = sleeve.name if sleeve else UNATTRIBUTED
        own = {listing_id: position for (name, listing_id), position in positions.items() if name == owner}
        budget = sleeve.part_of(EXACT.add(wallet.opening_cash, paid_in)) if sleeve else books.cash
        found[owner] = Books(own_cash(budget, own.values()) if sleeve else budget, own)
    for intent_id, order in books.open_orders.items():
        account = found[wallet.owner_of(order.strategy)]
        account.open_orders[intent_id] = order
        account.unsettled |= books.unsettled & {intent_id}
        account.cancelling |= books.cancelling & {intent_id}
    return found


def _with_models(connection: Connection, account: OwnerAccount, view: Wallet) -> OwnerAccount:
    """The account with the standings of its strategy's models. One that cannot be made holds up no other's orders."""
    try:
        models = view.new_strategy().models
    except Exception as error:  # a strategy's own constructor may raise anything
        return replace(account, fault=f"{type(error).__name__}: {error}".splitlines()[0])
    with connection.cursor() as cursor:
        return replace(account, standings=read_standings(cursor, tuple(models)))
