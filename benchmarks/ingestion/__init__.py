"""Data in and out, each figure beside a peer or a bare loop in the same go, in turn: only their ratio says something.

`INGESTION_STREAM_SECONDS` (10) and `INGESTION_STREAM_RATE` (20000) are of the stream, `INGESTION_BARS` (10000000) says
how many are stored to be read. The HTTP peer needs httpx: `pip install --target FOLDER httpx`, FOLDER in PYTHONPATH.
"""

import os

from benchmarks import loading
from benchmarks.ingestion import http_to_rows, reading, stream, trade_bars


def main() -> None:
    """Print all figures."""
    print(f"load {os.getloadavg()[0]:.1f}")
    trade_bars.main()
    stream.main()
    http_to_rows.main()
    loading.main()
    reading.main()
    print(f"load {os.getloadavg()[0]:.1f}")
