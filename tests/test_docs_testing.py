"""The page on testing names the planted bugs that there are, and each still has its line and its test."""

import re

from strades_pipelines.settings import PROJECT
from tests.plants import PLANTS

PAGE = PROJECT / "docs" / "testing.md"


def test_the_table_is_that_of_the_plants() -> None:
    rows = re.findall(r"^\| ([^|]+) \| `([^|]+)` \| `([^|]+)` \|$", PAGE.read_text(), re.MULTILINE)
    told = [(what, f"strades_pipelines/{file}", f"tests/{test}") for what, file, test in rows]
    assert told == [(plant.what, plant.file, plant.test) for plant in PLANTS]
    assert len(told) >= 10


def test_every_plant_finds_its_line_and_its_test() -> None:
    for plant in PLANTS:
        assert (PROJECT / plant.file).read_text().count(plant.old) == 1, plant.what
        file, _, name = plant.test.partition("::")
        assert f"def {name}(" in (PROJECT / file).read_text() or not name, plant.what
