"""The code behind strategies, edited: a copy of the rooms that the code hash covers, with one line more."""

import shutil
from pathlib import Path

from strades_pipelines.strategy.registry import PACKAGE, ROOMS


def edited_package(folder: Path, file: str = "engine/session.py") -> Path:
    """Copy the rooms into `folder`, with a comment added to `file`; returns the copy of the package."""
    copy = folder / PACKAGE.name
    for room in ROOMS:
        shutil.copytree(PACKAGE / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    with (copy / file).open("a", encoding="utf-8") as source:
        source.write("# another engine\n")
    return copy
