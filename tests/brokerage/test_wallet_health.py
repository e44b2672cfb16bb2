"""What `strades doctor` says of the wallets that trade."""

from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.brokers.venue_errors import Unknown
from strades_pipelines.brokerage.command_log import ALL, Request, log_outcome
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.halts import halt, resume
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.retirement import retire_unlisted
from strades_pipelines.brokerage.wallet_health import wallet_problems
from strades_pipelines.database.connection import connect
from tests.brokerage.conftest import MINUTE, AddCandles, Connection
from tests.brokerage.test_execution import CLOSES, DECIDED, SENT, Silent, decision


def test_a_wallet_that_trades_freely_is_no_problem(market: Connection, wallet: Wallet) -> None:
    assert wallet_problems(market, now=SENT) == []


def test_a_halted_and_a_retiring_wallet_are_named_with_the_reason(market: Connection, wallet: Wallet) -> None:
    command_id = halt(market, Request("halt", ALL, "alice", SENT, "news"), "halted")
    log_outcome(market, command_id, "halted", now=SENT)
    assert wallet_problems(market, now=SENT) == [
        "wallet paper is halted (all wallets: news); look at it, then `strades resume`"
    ]
    resume(market, Request("resume", ALL, "alice", SENT))
    retire_unlisted(market, [], ["paper"])
    assert wallet_problems(market, now=SENT) == ["wallet paper is retiring (Wallets.json no longer lists it)"]


def test_an_order_in_doubt_for_minutes_and_a_command_that_was_killed_are_named(
    market: Connection, wallet: Wallet, add_candles: AddCandles, database_url: str
) -> None:
    add_candles(CLOSES)
    decision(market, 2.0, DECIDED)
    with connect(database_url) as theirs:
        silent = Silent(PaperBroker(theirs, wallet), Unknown("5 s"), takes=True, answers=False)
        [intent] = execute_pending(market, silent, "paper", now=SENT).intents
    resume(market, Request("resume", ALL, "alice", SENT))
    assert wallet_problems(market, now=SENT + 4 * MINUTE) == []
    assert wallet_problems(market, now=SENT + 6 * MINUTE) == [
        f"wallet paper: order {intent} is unknown since 2024-01-02 00:02 (submit: 5 s); ask its venue",
        "resume of all wallets at 2024-01-02 00:02 did not end; give it again",
    ]
