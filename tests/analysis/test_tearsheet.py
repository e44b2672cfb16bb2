import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from strades_pipelines.analysis.arrays import Floats
from strades_pipelines.analysis.statistics import summary
from strades_pipelines.analysis.tearsheet.charts import account, month_grid
from strades_pipelines.analysis.tearsheet.sheet import TearSheet
from strades_pipelines.analysis.tearsheet.sheet_files import write_html, write_png
from strades_pipelines.analysis.tearsheet.thinning import thinned
from strades_pipelines.analysis.trades import no_trades
from tests.analysis.runs import EQUITY, TIMES, run

EVIL = """</script><script>alert(1)</script><img src=x onerror="alert(2)">&'"""


class Elements(HTMLParser):
    """Every start tag with its attributes, and the text outside scripts and styles."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.inside = ""
        self.scripts: list[str] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside = tag

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "script":
            self.scripts.append(data)
        elif self.inside != "style":
            self.text += data


def written(folder: Path, sheet: TearSheet) -> tuple[str, Elements]:
    write_html(sheet, folder / "sheet.html")
    text = (folder / "sheet.html").read_text()
    return text, Elements(text)


def charts_of(text: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="charts">(.*?)</script>', text, re.DOTALL)
    assert found
    charts: dict[str, Any] = json.loads(found[1])
    return charts


def test_the_page_shows_the_figures_and_has_a_place_for_every_chart(tmp_path: Path) -> None:
    sheet = run()
    text, page = written(tmp_path, sheet)
    assert f"{sheet.figures['total_return']:.2%}" in page.text
    assert f"{sheet.figures['sharpe']:.2f}" in page.text
    charts = charts_of(text)
    assert set(charts) == {"account", "months", "profits", "distribution", "excursions"}
    assert set(charts) < {attributes.get("id") for _, attributes in page.tags}
    assert page.text.count("XNYS:ACME") == len(sheet.trades) == 11


def test_the_page_fetches_nothing(tmp_path: Path) -> None:
    text, page = written(tmp_path, run())
    assert not [a for tag, a in page.tags if tag in {"link", "img", "iframe"} or "src" in a or "href" in a]
    assert "default-src 'none'" in text
    assert "Plotly.react" in text
    assert len(text) > 1_000_000


def test_no_text_of_others_becomes_markup(tmp_path: Path) -> None:
    plain, expected = written(tmp_path, run())
    text, page = written(tmp_path, run(title=EVIL, names={0: EVIL}, details={EVIL: EVIL}, currency=EVIL))
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in expected.tags]
    assert EVIL in page.text
    assert "alert(1)</script>" not in text
    assert charts_of(text).keys() == charts_of(plain).keys()
    # Plotly reads a few tags in labels: those are escaped too.
    assert "<" not in json.dumps(charts_of(text)["profits"]["data"][0]["text"])
    assert "<" not in charts_of(text)["account"]["layout"]["yaxis"]["title"]["text"]


def test_synthetic_data_are_called_so(tmp_path: Path) -> None:
    assert "Synthetic data." in written(tmp_path, run(synthetic=True))[1].text
    assert "Synthetic data." not in written(tmp_path, run())[1].text


@pytest.mark.parametrize("count", [0, 1])
def test_a_run_that_did_nothing_has_a_page_and_a_picture(tmp_path: Path, count: int) -> None:
    times, equity = TIMES[:count], EQUITY[:count]
    empty = TearSheet("Nothing", times, equity, summary(times, equity))
    _, page = written(tmp_path, empty)
    assert "–" in page.text  # noqa: RUF001
    write_png(empty, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").stat().st_size > 1000


def test_of_many_trades_the_first_and_the_last_are_listed(tmp_path: Path) -> None:
    trades = run().trades
    many = trades.take(np.tile(np.arange(10), 60))
    _, page = written(tmp_path, run(trades=many, names={0: "X:Y"}))
    assert page.text.count("X:Y") == 250
    assert "350 more" in page.text
    assert "Trades (600)" in page.text


def test_bad_valuations_are_gaps_and_not_bad_json(tmp_path: Path) -> None:
    holes = EQUITY.copy()
    holes[100:200] = np.nan
    text, _ = written(tmp_path, run(equity=holes, significance=None))
    assert charts_of(text)["account"]["data"][1]["y"][150] is None


def test_months_are_those_of_the_years_and_each_year_compounds_them() -> None:
    years, grid = month_grid(TIMES[:480], EQUITY[:480])
    assert years == [2023, 2022]
    assert np.isnan(grid[0, 11])
    np.testing.assert_allclose(np.prod(1 + grid[1, :12]) - 1, grid[1, 12])
    np.testing.assert_allclose(np.prod(1 + grid[:, 12]), EQUITY[479] / EQUITY[0])


def test_the_benchmark_starts_where_the_account_does() -> None:
    traces = {trace["name"]: trace for trace in account(run())["data"]}
    assert traces["Benchmark"]["y"][0] == pytest.approx(traces["Equity"]["y"][0])
    assert traces["Equity"]["x"][0] == TIMES[0] // 1000


def test_a_million_points_are_drawn_with_few_and_no_extreme_is_lost() -> None:
    values: Floats = np.cumsum(np.random.default_rng(1).normal(size=1_000_000), dtype=np.float64)
    values[123_456], values[777_777], values[500_000] = 1e6, -1e6, np.nan
    rows = thinned(values)
    assert len(rows) <= 4000
    assert {0, 123_456, 777_777, 999_999} <= set(rows.tolist())
    assert np.all(np.diff(rows) > 0)
    assert thinned(values[:10]).tolist() == list(range(10))


def test_the_picture_is_a_png_of_its_size_that_is_not_blank(tmp_path: Path) -> None:
    from matplotlib.image import imread

    write_png(run(title="US$ and $x^2$", synthetic=True), tmp_path / "sheet.png")
    pixels = imread(tmp_path / "sheet.png")
    assert pixels.shape[:2] == (1200, 1600)
    blue = np.all(np.abs(pixels[..., :3] - np.array([0x3B, 0x82, 0xF6]) / 255) < 0.02, axis=-1)
    assert blue.sum() > 500


def test_a_page_that_cannot_be_written_leaves_the_old_one_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "sheet.html"
    file.write_text("old")

    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="no space"):
        write_html(run(trades=no_trades()), file)
    assert file.read_text() == "old"
    assert os.listdir(tmp_path) == ["sheet.html"]


def test_figures_are_made_without_loading_what_draws() -> None:
    code = """
import sys
import strades_pipelines.analysis.statistics, strades_pipelines.analysis.significance_report
import strades_pipelines.analysis.validation, strades_pipelines.analysis.tearsheet.sheet
print([name for name in ("plotly", "matplotlib", "pandas", "scipy", "numba") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
