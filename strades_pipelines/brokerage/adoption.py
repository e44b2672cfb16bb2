"""A person's decision on a finding: adopt it into a wallet's books, or ignore it. Who, when and why are logged."""

from datetime import datetime
from decimal import Decimal

from strades_pipelines.brokerage.command_log import Request, log_command, log_outcome
from strades_pipelines.brokerage.execution import wallet_lock
from strades_pipelines.brokerage.external_orders import external_order, keep_order
from strades_pipelines.brokerage.findings import (
    ADOPTABLE,
    CannotBeSettledError,
    Code,
    StoredFinding,
    find_finding,
    settle_finding,
)
from strades_pipelines.brokerage.holdings import held_units, load_books
from strades_pipelines.brokerage.ledger import post_fill
from strades_pipelines.brokerage.owner_positions import read_owner_positions
from strades_pipelines.brokerage.portfolio import Wallet, load_wallet
from strades_pipelines.brokerage.prices import Connection, last_closes
from strades_pipelines.brokerage.split_reversals import take_back_split
from strades_pipelines.brokerage.splits import withdrawn_splits
from strades_pipelines.brokerage.trading_rows import (
    insert,
    order_event_row,
    request_from_json,
)
from strades_pipelines.database.crash import crash_point
from strades_pipelines.market.bars_and_fills import Fill
from strades_pipelines.market.ids import base32_id
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.ledger_chain import plain
from strades_pipelines.market.order_states import OrderState
from strades_pipelines.market.order_terms import MARKET, OrderRequest


def adopt(
    connection: Connection, wallet: Wallet, finding_id: str, request: Request, *, price: Decimal | None = None
) -> StoredFinding:
    """Take what a finding is about into the books of a wallet; returns the finding as it was. Commits.

    An order becomes one of ours under the client order id that it has. A fill becomes a fill of an order that nobody
    sent, its id a function of the finding, so that it cannot be booked twice; so does a holding, at `price`. A split
    that no source states any more is taken back by its inverse.

    Raises:
        LookupError: when there is no such finding.
        CannotBeSettledError: when this wallet cannot take it.
    """
    with wallet_lock(connection, wallet.name):
        wallet = load_wallet(connection, wallet.name)  # what it trades may have been split since
        finding = find_finding(connection, finding_id)
        listing = _listing(wallet, finding)
        _check_is_open(finding)
        command_id = log_command(connection, request, {"finding": finding.finding_id, "price": _text(price)})
        if finding.code == Code.EXTERNAL_ORDER:
            _adopt_order(connection, wallet, listing, finding, request)
            _settle_fills_of(connection, finding, command_id, request.at)
        elif finding.code == Code.SPLIT_WITHDRAWN:
            _take_back(connection, wallet, listing, finding, request)
        else:
            _adopt_fill(connection, wallet, listing, finding, request, price)
        settle_finding(connection, finding.finding_id, "adopted", command_id, now=request.at)
        log_outcome(connection, command_id, f"adopted {finding.code} {finding.reference}", now=request.at)
        crash_point("trading.adoption_written")
        connection.commit()
        crash_point("trading.adoption_committed")
    return finding


def ignore(connection: Connection, finding_id: str, request: Request) -> StoredFinding:
    """Leave what a finding is about out of the books for good; returns the finding as it was. Commits.

    Raises:
        LookupError: when there is no such finding.
        CannotBeSettledError: when it is settled already.
    """
    finding = find_finding(connection, finding_id)
    _check_is_open(finding)
    command_id = log_command(connection, request, {"finding": finding.finding_id})
    settle_finding(connection, finding.finding_id, "ignored", command_id, now=request.at)
    log_outcome(connection, command_id, f"ignored {finding.code} {finding.reference}", now=request.at)
    crash_point("trading.ignore_written")
    connection.commit()
    crash_point("trading.ignore_committed")
    return finding


def _check_is_open(finding: StoredFinding) -> None:
    if finding.state != "open":
        raise CannotBeSettledError(
            f"finding {finding.finding_id}: expected one that stands, was {finding.state}; see `strades reconcile`"
        )


def _listing(wallet: Wallet, finding: StoredFinding) -> Listing:
    """The instrument, as the wallet trades it."""
    where = f"finding {finding.finding_id}"
    if finding.code not in ADOPTABLE:
        raise CannotBeSettledError(f"{where}: {finding.code} is nothing to take into books; {finding.advice}")
    if wallet.name not in finding.wallets:
        names = ", ".join(finding.wallets)
        raise CannotBeSettledError(f"{where}: expected a wallet of {finding.account} ({names}), was {wallet.name!r}")
    for listing in wallet.listings:
        if listing.listing_id == finding.listing_id or listing.symbol == finding.symbol:
            return listing
    raise CannotBeSettledError(
        f"{where}: expected a wallet that trades {finding.symbol}, was {wallet.name!r}; "
        f"`strades ignore {finding.finding_id}` leaves it out of all books"
    )


def _take_back(
    connection: Connection, wallet: Wallet, listing: Listing, finding: StoredFinding, request: Request
) -> None:
    where = f"finding {finding.finding_id}: wallet {wallet.name}"
    # The source may have stated the split again since the finding was written: the wallet would then hold old units
    # beside prices in new ones.
    withdrawn = {one.reference for one in withdrawn_splits(connection, wallet, now=request.at)}
    if finding.reference not in withdrawn:
        raise CannotBeSettledError(f"{where}: the split is stated again; `strades reconcile` ends the finding")
    split = next(split for split in wallet.splits if split.movement_id == finding.reference)
    before = read_owner_positions(connection, wallet.name)
    held = held_units(connection, take_back_split(connection, wallet, listing, split, now=request.at), split.listing_id)
    # Where several strategies share it, one of them may have sold what only another holds now.
    owed = [
        f": {owner} would hold {plain(position.quantity)}"
        for (owner, listing_id), position in read_owner_positions(connection, wallet.name).items()
        if listing_id == split.listing_id and position.quantity < 0 <= before[owner, listing_id].quantity
    ]
    if held < 0:
        owed = [f" would hold {plain(held)}"]
    if owed:
        raise CannotBeSettledError(
            f"{where}{owed[0]} {listing.name}, as it has sold units that the split had made; "
            "ignore it, and go on with a new wallet"
        )


def _adopt_order(
    connection: Connection, wallet: Wallet, listing: Listing, finding: StoredFinding, request: Request
) -> None:
    """Keep an open order of the venue as one of ours; the next pass asks about it, and books all of its fills."""
    client_id, terms = finding.evidence["client_order_id"], finding.evidence["order_request"]
    # The next pass looks it up by its client order id, and stores it by its terms: without either it stays the venue's
    # alone.
    if not client_id or terms is None:
        raise CannotBeSettledError(
            f"finding {finding.finding_id}: expected an order with a client order id and terms that we know; "
            "cancel it at the venue, or ignore it"
        )
    _refuse_settled_fills(connection, finding)
    decision, order = external_order(connection, wallet, listing, finding, request, request_from_json(terms), client_id)
    keep_order(connection, wallet, decision, order, request.at)
    row = order_event_row(
        client_id,
        OrderState.ACCEPTED,
        request.at,
        venue_order_id=finding.evidence["venue_order_id"],
        reason=f"adopted by {request.by}",
    )
    insert(connection, "trading.order_events", row)


def _refuse_settled_fills(connection: Connection, finding: StoredFinding) -> None:
    """Fills of the order that were adopted or ignored by themselves would be booked once more."""
    row = connection.execute(
        f"SELECT finding_id, state FROM trading.findings WHERE {OF_ORDER} AND state IN ('adopted', 'ignored') LIMIT 1",
        [finding.account, Code.EXTERNAL_FILL.value, finding.evidence["venue_order_id"]],
    ).fetchone()
    if row:
        raise CannotBeSettledError(
            f"finding {finding.finding_id}: its fill {row[0]} is {row[1]} already; cancel the order at the venue, "
            "or ignore it and adopt its fills"
        )


OF_ORDER = "account = %s AND code = %s AND evidence ->> 'venue_order_id' = %s"


def _settle_fills_of(connection: Connection, finding: StoredFinding, command_id: int, now: datetime) -> None:
    """The fills of an adopted order are booked as its own."""
    rows = connection.execute(
        f"SELECT finding_id FROM trading.findings WHERE {OF_ORDER} AND state = 'open'",
        [finding.account, Code.EXTERNAL_FILL.value, finding.evidence["venue_order_id"]],
    )
    for (fill_finding,) in rows.fetchall():
        settle_finding(connection, fill_finding, "adopted", command_id, now=now)


def _adopt_fill(
    connection: Connection,
    wallet: Wallet,
    listing: Listing,
    finding: StoredFinding,
    request: Request,
    price: Decimal | None,
) -> None:
    signed = finding.quantity
    assert signed is not None, f"finding {finding.finding_id} is about no quantity"
    if finding.code == Code.EXTERNAL_FILL:
        assert finding.price is not None
        fee = _fee(finding)
        price = finding.price
    else:
        fee = Decimal(0)
        price = price if price is not None else _last_close(connection, wallet, listing, finding, request.at)
    _check_can_take(connection, wallet, listing, finding, signed, -signed * price - fee)
    decision, order = external_order(connection, wallet, listing, finding, request, OrderRequest(signed, MARKET))
    keep_order(connection, wallet, decision, order, request.at)
    reason = f"adopted by {request.by}: {finding.detail}"
    filled = order_event_row(
        order.intent_id,
        OrderState.FILLED,
        request.at,
        filled=order.quantity,
        venue_time=finding.occurred_at,
        reason=reason,
    )
    insert(connection, "trading.order_events", filled)
    fill = Fill(
        i=order.i,
        listing_id=listing.listing_id,
        content_id=base32_id("adopted", finding.finding_id),
        intent_id=order.intent_id,
        side=order.side,
        quantity=order.quantity,
        price=price,
        fee=fee,
        currency=wallet.currency,
        filled_at=finding.occurred_at,
        knowledge_time=request.at,
        bar_interval=None,
        bar_open_time=None,
    )
    if not post_fill(connection, wallet, fill, now=request.at):
        raise CannotBeSettledError(f"finding {finding.finding_id}: its fill {fill.content_id} is in the books already")


def _fee(finding: StoredFinding) -> Decimal:
    """What the fill cost beside its price, in the wallet's currency."""
    assert finding.amount is not None
    assert finding.quantity is not None
    assert finding.price is not None
    return -finding.amount - finding.quantity * finding.price


def _last_close(
    connection: Connection, wallet: Wallet, listing: Listing, finding: StoredFinding, now: datetime
) -> Decimal:
    prices = last_closes(connection, [listing], interval=wallet.interval, known_at=now)
    if listing.listing_id not in prices:
        raise CannotBeSettledError(f"finding {finding.finding_id}: no price of {listing.name} is known; give --price")
    return prices[listing.listing_id]


def _check_can_take(
    connection: Connection, wallet: Wallet, listing: Listing, finding: StoredFinding, signed: Decimal, moved: Decimal
) -> None:
    """Refuse what would leave the wallet with a debt, of units or of money."""
    books = load_books(connection, wallet)
    where = f"finding {finding.finding_id}: wallet {wallet.name}"
    held = books.held(listing.listing_id)
    if signed < 0 and held + signed < 0:
        raise CannotBeSettledError(f"{where} holds {plain(held)} {listing.name}, {plain(-signed)} were sold")
    if moved < 0 and books.cash + moved < 0:
        raise CannotBeSettledError(f"{where} has {plain(books.cash)} {wallet.currency}, it cost {plain(-moved)}")


def _text(number: Decimal | None) -> str | None:
    return None if number is None else plain(number)
