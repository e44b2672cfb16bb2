"""The hash of all code that shapes what a wallet trades: what two people approve for a live one.

It is of the files as they were when this process started, not as they are: a process goes on with what it has loaded,
whatever is edited or installed meanwhile.
"""

import hashlib
from pathlib import Path

from strades_pipelines.strategy.registry import PACKAGE, code_hash
from strades_pipelines.strategy.strategy import Strategy

# Beside what `registry.code_hash` covers: what steps a wallet, gates, sends and settles, and what forecasts.
PARTS = ("brokerage", "predictor", "database/asof.py")


def sources() -> list[Path]:
    """The files of those parts."""
    parts = [PACKAGE / part for part in PARTS]
    return [file for part in parts for file in ([part] if part.is_file() else sorted(part.rglob("*.py")))]


def _hash_sources() -> str:
    digest = hashlib.sha256()
    for file in sources():
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


LOADED = _hash_sources()


def trading_code(strategy: Strategy) -> str:
    """SHA-256 of the code behind the wallets of a strategy, as this process loaded it."""
    return hashlib.sha256(f"{code_hash(strategy)}{LOADED}".encode()).hexdigest()
