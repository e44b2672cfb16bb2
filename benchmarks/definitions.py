"""How long the definitions take to load, beyond what they cannot do without."""

import subprocess
import sys
from statistics import median

RUNS = 5
PROGRAM = """
import sys, time
start = time.perf_counter()
import dagster, dagster_dbt, dagster_postgres, pandas
imported = time.perf_counter()
from strades_pipelines.definitions import defs
defs().resolve_asset_graph()
print(imported - start, time.perf_counter() - imported)
heavy = [name for name in ("tensorflow", "sklearn", "scrapy", "numba") if name in sys.modules]
assert not heavy, heavy
"""


def main() -> None:
    """Print the medians of five fresh processes, after one that warms the caches."""
    times = [_load() for _ in range(RUNS + 1)][1:]
    imports, own = (median(column) for column in zip(*times, strict=True))
    print(f"import of dagster, dagster-dbt, dagster-postgres, pandas  {imports:6.2f} s")
    print(f"definitions beyond that                                   {own:6.2f} s   (target: at most 2 s)")


def _load() -> tuple[float, float]:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", PROGRAM], capture_output=True, text=True, check=True)
    imports, own = done.stdout.split()
    return float(imports), float(own)
