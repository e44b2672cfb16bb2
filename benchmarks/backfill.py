"""`strades backfill` into an empty home, from fetch to features: 26 years of ECB rates and 13 years of stocks."""

from benchmarks.run import STRADES, empty_home, measured

SOURCES = ("rawsources/ecb_history", "rawsources/yahoo", "records/candles")
LAYERS = ("staging", "cleaned", "features")
WINDOW = ("--from", "1999-01-01", "--to", "2026-11-01")  # every month there is


def main() -> None:
    """Print seconds, rows and peak memory; the set-up is done before."""
    from strades_pipelines.definitions import defs

    graph = defs().resolve_asset_graph()
    assets = [*SOURCES, *(key.to_user_string() for key in graph.executable_asset_keys if key.path[0] in LAYERS)]
    command = [STRADES, "backfill", *WINDOW, *(word for asset in assets for word in ("--asset", asset)), "--json"]
    with empty_home() as environment:
        for title in ("first backfill", "the same months again"):
            document = measured(title, command, environment)
            for asset in document["assets"]:
                if asset["rows"]:
                    print(f"  {asset['asset']:25} {asset['seconds']:6.2f} s  {asset['rows']:>9,} rows")


if __name__ == "__main__":
    main()
