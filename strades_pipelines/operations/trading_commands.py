"""The commands with which a person trades. What they need is imported when one of them runs."""

from pathlib import Path
from typing import Annotated

import typer

from strades_pipelines.research.research_options import Json

app = typer.Typer()
ledger_app = typer.Typer(no_args_is_help=True, help="The ledgers of the wallets.")
app.add_typer(ledger_app, name="ledger")
OneWallet = Annotated[str | None, typer.Option("--wallet", metavar="NAME", help="Only this wallet.")]
OneStrategy = Annotated[
    str | None, typer.Option("--strategy", metavar="NAME", help="Only the wallets of this strategy, later ones too.")
]
Reason = Annotated[str | None, typer.Option(metavar="TEXT", help="Why; kept with the command.")]


@app.command()
def halt(
    wallet: OneWallet = None,
    strategy: OneStrategy = None,
    reducing: Annotated[bool, typer.Option("--reducing", help="Orders that make a position smaller go on.")] = False,
    cancel_open: Annotated[bool, typer.Option("--cancel-open", help="Cancel open orders too.")] = False,
    flatten: Annotated[bool, typer.Option("--flatten", help="Cancel, then close every position at market.")] = False,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Send no new order, of all wallets unless one is named; returns when the last send in flight has ended."""
    from strades_pipelines.operations.halting import run_halt

    run_halt(
        wallet,
        strategy,
        reducing=reducing,
        cancel_open=cancel_open,
        flatten_all=flatten,
        reason=reason,
        as_json=as_json,
    )


@app.command()
def resume(
    wallet: OneWallet = None, strategy: OneStrategy = None, reason: Reason = None, as_json: Json = False
) -> None:
    """End a halt of the same scope. What was refused meanwhile is not sent later."""
    from strades_pipelines.operations.halting import run_resume

    run_resume(wallet, strategy, reason=reason, as_json=as_json)


@app.command(context_settings={"ignore_unknown_options": True})
def order(
    wallet: Annotated[str, typer.Argument()],
    instrument: Annotated[str, typer.Argument(metavar="[VENUE:]SYMBOL")],
    quantity: Annotated[str, typer.Argument(help="Units in whole lots; negative to sell: -0.5.")],
    limit: Annotated[str | None, typer.Option(metavar="PRICE", help="The worst price it takes.")] = None,
    stop: Annotated[str | None, typer.Option(metavar="PRICE", help="The price that sets it off.")] = None,
    trail: Annotated[
        str | None, typer.Option(metavar="DISTANCE", help="How far the stop stays behind the best price.")
    ] = None,
    time_in_force: Annotated[str, typer.Option(help="gtc, day, ioc or fok.")] = "gtc",
    auction: Annotated[str | None, typer.Option(help="open or close: only in that auction.")] = None,
    reduce_only: Annotated[bool, typer.Option("--reduce-only", help="Never open or turn a position.")] = False,
    replace: Annotated[
        str | None, typer.Option(metavar="INTENT", help="Put it in the place of this order, as `cancel` names it.")
    ] = None,
    strategy: Annotated[
        str | None, typer.Option(metavar="NAME", help="Trade the units of this one, where several share the wallet.")
    ] = None,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Send an order of your own, through the same gate as those of the strategies."""
    from strades_pipelines.operations.order_words import order_request
    from strades_pipelines.operations.ordering import run_order

    request = order_request(
        quantity, limit, stop, trail, time_in_force, auction, reduce_only=reduce_only, replaces=replace
    )
    run_order(wallet, instrument, request, strategy=strategy, reason=reason, as_json=as_json)


@app.command()
def cancel(
    intent: Annotated[str, typer.Argument(metavar="INTENT", help="The order's id, as `strades wallets` shows it.")],
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Cancel what is left of an order, whoever it is of, and in whatever state its wallet is."""
    from strades_pipelines.operations.ordering import run_cancel

    run_cancel(intent, reason=reason, as_json=as_json)


@app.command()
def transfer(
    wallet: Annotated[str, typer.Option("--wallet", metavar="NAME", help="Where it comes in, or goes out.")],
    amount: Annotated[str, typer.Option(metavar="AMOUNT", help="Positive into the wallet; negative out of it: -100.")],
    currency: Annotated[str, typer.Option(metavar="CODE")],
    to: Annotated[str | None, typer.Option(metavar="NAME", help="Out of the wallet into this other one.")] = None,
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="When it moved: ISO 8601, in UTC.", show_default="now"),
    ] = None,
    key: Annotated[
        str | None, typer.Option("--id", metavar="TEXT", help="The same id is booked once, however often it is given.")
    ] = None,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Record that money came into a wallet, left it, or moved to another one."""
    from strades_pipelines.operations.accounting import run_transfer

    run_transfer(wallet, amount, currency, to=to, at=at, key=key, reason=reason, as_json=as_json)


@app.command()
def statement(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV in UTF-8.")],
    wallet: Annotated[str, typer.Option("--wallet", metavar="NAME", help="Whose trades they are.")],
    format_name: Annotated[str, typer.Option("--format", metavar="NAME", help="generic, alpaca or gate.")] = "generic",
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Book trades and cash of a broker's statement, made elsewhere by you, in a wallet: each once."""
    from strades_pipelines.operations.accounting import run_statement

    run_statement(file, wallet, format_name, reason=reason, as_json=as_json)


@app.command(name="correct-trade")
def correct_trade(
    fill: Annotated[str, typer.Argument(metavar="FILL", help="The id of a trade of a statement.")],
    wallet: Annotated[str, typer.Option("--wallet", metavar="NAME", help="Whose trade it is.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept with your name.")],
    side: Annotated[str | None, typer.Option(metavar="SIDE", help="buy or sell.")] = None,
    quantity: Annotated[str | None, typer.Option(metavar="NUMBER")] = None,
    price: Annotated[str | None, typer.Option(metavar="NUMBER")] = None,
    fee: Annotated[str | None, typer.Option(metavar="NUMBER", help="In the currency that it was paid in.")] = None,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="When it was done: ISO 8601, in UTC.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="It never was.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Have the trade as it was before it was corrected.")] = False,
    as_json: Json = False,
) -> None:
    """Correct a trade of your statements: its reversal and the right trade are booked, and nothing is changed."""
    from strades_pipelines.operations.accounting import run_correct_trade

    said = {"side": side, "quantity": quantity, "price": price, "fee": fee, "at": at}
    run_correct_trade(fill, wallet, said, remove=remove, undo=undo, reason=reason, as_json=as_json)


@app.command()
def trade(
    wallet: OneWallet = None,
    seconds: Annotated[
        float | None, typer.Option(min=0, help="End after so long.", show_default="when it is stopped")
    ] = None,
    every: Annotated[float, typer.Option(min=0, help="Seconds from one pass to the next.")] = 2.0,
    as_json: Json = False,
) -> None:
    """Decide and execute for each paper and live wallet, again and again. Needs no Dagster, and does not mind it."""
    from strades_pipelines.operations.trade_loop import run_trade

    run_trade(wallet, seconds=seconds, every=every, as_json=as_json)


@app.command(name="reconcile")
def reconcile_accounts(wallet: OneWallet = None, as_json: Json = False) -> None:
    """Compare the accounts at the venues with our books; what differs is a finding and halts its wallets."""
    from strades_pipelines.operations.reconciling import run_reconcile

    run_reconcile(wallet, as_json=as_json)


Findings = Annotated[list[str], typer.Argument(metavar="FINDING...", help="Ids that `strades reconcile` shows.")]
Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept with the command.")]


@app.command()
def adopt(
    findings: Findings,
    wallet: Annotated[str, typer.Option(metavar="NAME", help="Whose books it comes into.")],
    reason: Why,
    price: Annotated[
        str | None,
        typer.Option(metavar="PRICE", help="What one unit of a holding cost.", show_default="the last known close"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Take an order, fill or holding that is none of ours into a wallet's books."""
    from strades_pipelines.operations.reconciling import run_adopt

    run_adopt(findings, wallet, price=price, reason=reason, as_json=as_json)


@app.command()
def ignore(findings: Findings, reason: Why, as_json: Json = False) -> None:
    """Leave what was found out of all books, for good."""
    from strades_pipelines.operations.reconciling import run_ignore

    run_ignore(findings, reason=reason, as_json=as_json)


@app.command()
def wallets(
    cost: Annotated[str, typer.Option(metavar="BASIS", help="Cost basis of profits: average or fifo.")] = "average",
    as_json: Json = False,
) -> None:
    """The wallets that trade: state and why, equity, profit, positions, open orders, and whether bars come."""
    from strades_pipelines.operations.trading import show_wallets

    show_wallets(cost_basis=cost, as_json=as_json)


@app.command()
def history(
    wallet: Annotated[str, typer.Argument()],
    start: Annotated[str | None, typer.Option("--from", metavar="DATE", help="The first session.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="DATE", help="The session after the last.")] = None,
    as_json: Json = False,
) -> None:
    """A wallet by session: flows, profit, fees and return; who earned it; time- and money-weighted returns."""
    from strades_pipelines.operations.accounting import show_history

    show_history(wallet, start, end, as_json=as_json)


@app.command()
def context(
    fills: Annotated[int, typer.Option(min=0, help="The newest so many fills of each wallet.")] = 100,
    as_json: Json = False,
) -> None:
    """The state of all that is traded as one moment saw it, with a hash that is equal for equal state."""
    from strades_pipelines.operations.trading import show_context

    show_context(fills=fills, as_json=as_json)


@ledger_app.command()
def verify(wallet: OneWallet = None, as_json: Json = False) -> None:
    """Compute every hash and sum of the ledgers again; one line for each fault."""
    from strades_pipelines.operations.trading import run_ledger_verify

    run_ledger_verify(wallet, as_json=as_json)
