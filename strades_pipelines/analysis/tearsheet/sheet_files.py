"""The files a tear sheet is written to."""

import os
from pathlib import Path
from tempfile import NamedTemporaryFile

from strades_pipelines.analysis.tearsheet.sheet import TearSheet


def write_html(sheet: TearSheet, file: Path) -> None:
    """One self-contained page, about 5 MB (Plotly's script is in it), whole or not at all."""
    from strades_pipelines.analysis.tearsheet.page import page

    _write(file, page(sheet).encode())


def write_png(sheet: TearSheet, file: Path) -> None:
    """One picture of 1600 x 1200 points, whole or not at all."""
    from strades_pipelines.analysis.tearsheet.picture import picture

    _write(file, picture(sheet))


def _write(file: Path, content: bytes) -> None:
    with NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as part:
        try:
            part.write(content)
            part.flush()
            os.chmod(part.name, 0o644)
            os.replace(part.name, file)
        except BaseException:
            os.unlink(part.name)
            raise
