"""Bodies of `strades halt` and `strades resume`."""

from collections.abc import Callable
from dataclasses import asdict, replace

from strades_pipelines.bad_input import BadInput
from strades_pipelines.brokerage.brokers.selection import venue_for
from strades_pipelines.brokerage.command_log import Request, Scope, log_outcome
from strades_pipelines.brokerage.flatten import CANCEL_SECONDS, Flattened, cancel_all, flatten
from strades_pipelines.brokerage.halts import (
    SEND_SECONDS,
    halt,
    reasons_not_to_resume,
    resume,
    still_sending,
    wait_for_sends,
)
from strades_pipelines.brokerage.live import for_each
from strades_pipelines.brokerage.portfolio import load_wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.sleeves import sleeves_named
from strades_pipelines.brokerage.wallet_status import wallet_statuses
from strades_pipelines.database.connection import connect
from strades_pipelines.operations.trading import (
    finish,
    new_request,
    open_world,
    scope_of,
    status_document,
    wallets_in,
)
from strades_pipelines.settings import settings


def run_halt(
    wallet: str | None,
    strategy: str | None,
    *,
    reducing: bool,
    cancel_open: bool,
    flatten_all: bool,
    reason: str | None,
    as_json: bool,
) -> None:
    """`strades halt`; ends with 1 when a wallet was still sending, or something could not be cancelled or closed."""
    scope = scope_of(wallet, strategy)
    if cancel_open and flatten_all:
        raise BadInput("expected --cancel-open or --flatten, found both; --flatten cancels what is open too")
    if reducing and flatten_all:
        raise BadInput(
            "expected --reducing or --flatten, found both: strategies would trade while positions are closed"
        )
    open_world()
    with connect() as connection:
        names = wallets_in(connection, scope)
        request = new_request("halt", scope, reason)
        state = "reducing" if reducing else "halted"
        command_id = halt(connection, request, state)
        sending = wait_for_sends(connection, names, seconds=SEND_SECONDS)
        results: dict[str, Flattened] = {}
        errors: dict[str, str] = {}
        work = flatten if flatten_all else cancel_all if cancel_open else None
        if work is not None:
            results, errors = _at_each_venue(connection, work, [name for name in names if name not in sending], request)
        problems = still_sending(sending)
        problems += [f"wallet {name}: {error}" for name, error in errors.items()]
        problems += [f"wallet {name}: {line}" for name, done in results.items() for line in done.problems]
        log_outcome(connection, command_id, "; ".join(problems) or state, now=settings().now())
        connection.commit()
        statuses = list(wallet_statuses(connection, now=settings().now(), names=names))
    document = {
        "command_id": command_id,
        "scope": str(scope),
        "state": state,
        "wallets": [status_document(status) for status in statuses],
        "still_sending": sending,
        "done": {name: asdict(done) for name, done in results.items()},
        "problems": problems,
    }
    finish(document, statuses, as_json, problems)


def run_resume(wallet: str | None, strategy: str | None, *, reason: str | None, as_json: bool) -> None:
    """`strades resume`; ends with 1 when nothing of this scope was halted, or findings of its wallet stand."""
    scope = scope_of(wallet, strategy)
    open_world()
    with connect() as connection:
        names = wallets_in(connection, scope)
        command_id, ended = resume(connection, new_request("resume", scope, reason))
        problems = [] if ended else reasons_not_to_resume(connection, scope)
        log_outcome(connection, command_id, "; ".join(problems) or "resumed", now=settings().now())
        connection.commit()
        statuses = list(wallet_statuses(connection, now=settings().now(), names=names))
    document = {
        "command_id": command_id,
        "scope": str(scope),
        "wallets": [status_document(status) for status in statuses],
        "problems": problems,
    }
    finish(document, statuses, as_json, problems)


def _at_each_venue(
    connection: Connection, work: Callable[..., Flattened], names: list[str], request: Request
) -> tuple[dict[str, Flattened], dict[str, str]]:
    """Do `work` for each wallet at its venue; one that fails holds up no other."""
    with connect() as at_venue:

        def at_venue_of(name: str) -> Flattened:
            wallet = load_wallet(connection, name)
            venue = venue_for(wallet, at_venue)
            of_wallet = replace(request, kind="flatten" if work is flatten else "cancel", scope=Scope("wallet", name))
            # A halt of `several`, the wallet's own strategy, is about all of it.
            scope = request.scope
            is_of_sleeves = scope.kind == "strategy" and wallet.sleeves and scope.name != wallet.strategy
            owners = sleeves_named(wallet.sleeves, scope.name) if is_of_sleeves else None
            return work(connection, venue, of_wallet, clock=settings().now, seconds=CANCEL_SECONDS, owners=owners)

        return for_each(names, at_venue_of, [connection, at_venue])
