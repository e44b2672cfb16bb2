"""`strades backfill` into an empty home, from fetch to features: 26 years of ECB rates and 13 years of stocks."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.run import measured

SOURCES = ("rawsources/ecb_history", "rawsources/yahoo", "records/candles")
LAYERS = ("staging", "cleaned", "features")
WINDOW = ("--from", "1999-01-01", "--to", "2026-11-01")  # every month there is


def main() -> None:
    """Print seconds, rows and peak memory; the set-up is done before."""
    from strades_pipelines.definitions import defs

    with tempfile.TemporaryDirectory(prefix="strades-bench-") as folder:
        Path(folder).chmod(0o755)
        environment = {**os.environ, "STRADES_HOME": folder, "STRADES_SANDBOX_NOW": "2026-11-20T12:00:00Z"}
        strades = str(Path(sys.executable).with_name("strades"))
        subprocess.run([strades, "doctor"], env=environment, stdout=subprocess.DEVNULL, check=False)
        graph = defs().resolve_asset_graph()
        assets = [*SOURCES, *(key.to_user_string() for key in graph.executable_asset_keys if key.path[0] in LAYERS)]
        command = [strades, "backfill", *WINDOW, *(word for asset in assets for word in ("--asset", asset)), "--json"]
        try:
            for title in ("first backfill", "the same months again"):
                document = measured(title, command, environment, Path(folder))
                for asset in document["assets"]:
                    if asset["rows"]:
                        print(f"  {asset['asset']:25} {asset['seconds']:6.2f} s  {asset['rows']:>9,} rows")
        finally:
            subprocess.run([strades, "db", "stop"], env=environment, stdout=subprocess.DEVNULL, check=False)


if __name__ == "__main__":
    main()
