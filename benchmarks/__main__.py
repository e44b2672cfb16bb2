"""`python -m benchmarks [NAME ...]`: the figures of RESULTS.md; all of them where none is named."""

import sys
from collections.abc import Callable

from benchmarks import (
    alpha158,
    articles,
    backfill,
    brokerage,
    dashboard,
    definitions,
    engine,
    growth,
    ingestion,
    loading,
    minutes,
    month,
    monthly_partitions,
    relations,
    retention,
    run,
    run_queue,
    stream_latency,
    trade_bars,
    universe,
)

BENCHMARKS: dict[str, Callable[[], None]] = {
    "alpha158": alpha158.main,
    "articles": articles.main,
    "backfill": backfill.main,
    "brokerage": brokerage.main,
    "dashboard": dashboard.main,
    "definitions": definitions.main,
    "engine": engine.main,
    "growth": growth.main,
    "ingestion": ingestion.main,
    "loading": loading.main,
    "minutes": minutes.main,
    "month": month.main,
    "monthly_partitions": monthly_partitions.main,
    "relations": relations.main,
    "retention": retention.main,
    "run": run.main,
    "run_queue": run_queue.main,
    "stream_latency": stream_latency.main,
    "trade_bars": trade_bars.main,
    "universe": universe.main,
}


def main() -> int:
    """Run the benchmarks named on the command line."""
    wanted = sys.argv[1:] or list(BENCHMARKS)
    unknown = set(wanted) - set(BENCHMARKS)
    if unknown:
        print(f"expected some of {', '.join(BENCHMARKS)}, was {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    for name in wanted:
        print(f"\n== {name}: python -m benchmarks {name}")
        BENCHMARKS[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
