"""The files a tear sheet is written to."""

from pathlib import Path

from strades_pipelines.analysis.tearsheet.report_layout import DEFAULT, Layout
from strades_pipelines.analysis.tearsheet.sheet import TearSheet
from strades_pipelines.system.durable_files import write_whole


def write_html(sheet: TearSheet, file: Path, layout: Layout = DEFAULT) -> None:
    """One self-contained page, about 5 MB (Plotly's script is in it), whole or not at all."""
    from strades_pipelines.analysis.tearsheet.page import page

    write_whole(file, page(sheet, layout).encode())


def write_png(sheet: TearSheet, file: Path) -> None:
    """One picture of 1600 x 1200 points, whole or not at all."""
    from strades_pipelines.analysis.tearsheet.picture import picture

    write_whole(file, picture(sheet))
