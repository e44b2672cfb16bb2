"""The house: no two modules that a reader could take for each other, and the names of modules that stand in texts."""

from collections import defaultdict
from importlib.util import find_spec

from strades_pipelines.engine.compiled import TRUSTED
from strades_pipelines.settings import PROJECT
from strades_pipelines.strategy import registry

PACKAGE = PROJECT / "strades_pipelines"
# File names that occur twice below strades_pipelines/, and why nobody mistakes one for the other.
TWICE = {
    "account": "each broker's adapter has the same parts; users' strategies import `strategy/account.py`",
    "assets": "each folder of defs/ is a layer of the graph, and its assets are in assets.py",
    "broker": "each broker's adapter has the same parts",
    "candles": "a kind of record; an indicator's candles",
    "mapping": "each broker's adapter has the same parts",
    "prices": "`strategy/indicators/prices.py` is a name that users' strategies import",
    "returns": "a family of features is named as its columns are",
    "statement": "each broker's adapter has the same parts",
    "statistics": "indicators are named by what they measure",
    "stream": "each broker's adapter has the same parts",
    "trades": "a kind of record; the round trips of a run",
    "trend": "families of features and indicators are named by what they measure",
    "volatility": "families of features and indicators are named by what they measure",
    "volume": "families of features and indicators are named by what they measure",
}


def test_a_file_name_occurs_once_or_the_table_says_why_not() -> None:
    places = defaultdict(list)
    for path in PACKAGE.rglob("*.py"):
        if path.stem != "__init__":
            places[path.stem].append(str(path.relative_to(PACKAGE)))
    several = {name: sorted(found) for name, found in places.items() if len(found) > 1}
    assert {name: found for name, found in several.items() if name not in TWICE} == {}, "rename one of each"
    assert set(TWICE) - set(several) == set(), "these occur once now: take them out of the table"


def test_the_engine_that_the_compiler_trusts_is_there() -> None:
    """A renamed module would be checked for overflow at each addition: slower, and nothing else shows it."""
    assert [name for name in sorted(TRUSTED) if find_spec(name) is None] == []
    engine = {f"strades_pipelines.engine.{path.stem}" for path in (PACKAGE / "engine").glob("*.py")}
    assert len(TRUSTED & engine) == len(TRUSTED) - 2  # the account, which strategies see, and the fees of the market


def test_the_code_hash_covers_every_room_a_strategy_runs_in() -> None:
    sources = set(registry._engine_sources(PACKAGE))
    hashed = {path.relative_to(PACKAGE).parts[0] for path in sources}
    assert hashed == {"bars", "compiler", "engine", "market", "simulation", "strategy"}
    assert not [path for path in sources if path.is_relative_to(PACKAGE / "strategy" / "library")]
    assert PACKAGE / "engine" / "order_fills.py" in sources
