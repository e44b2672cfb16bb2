"""A reconciliation, or a word on a finding, in a process of its own: URL, time, wallet, word, finding."""

import sys
from datetime import datetime

from strades_pipelines.brokerage.adoption import adopt, ignore
from strades_pipelines.brokerage.brokers.venue import account_of
from strades_pipelines.brokerage.command_log import Request, Scope
from strades_pipelines.brokerage.portfolio import load_wallet
from strades_pipelines.brokerage.reconcile import reconcile_account
from strades_pipelines.database.connection import connect


def main(url: str, now: datetime, name: str, word: str, finding: str) -> None:
    with connect(url) as ours, connect(url) as theirs:
        wallet = load_wallet(ours, name)
        request = Request(word, Scope("wallet", name), "alice", now, "a test")
        if word == "adopt":
            adopt(ours, wallet, finding, request)
        elif word == "ignore":
            ignore(ours, finding, request)
        else:
            reconcile_account(ours, theirs, account_of(wallet), now=now)


if __name__ == "__main__":
    main(sys.argv[1], datetime.fromisoformat(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5])
