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


def test_each_fault_of_the_first_review_is_planted() -> None:
    assert {plant.finding for plant in PLANTS} == {"", *(f"B{number}" for number in range(1, 12))}


def test_every_law_has_tests_of_its_number_in_each_of_its_files() -> None:
    laws = re.findall(r"^\| (\d+) [^|]*\|[^|]+\| ([^|]+) \|$", PAGE.read_text(), re.MULTILINE)
    assert {int(number) for number, _ in laws} >= set(range(13, 25))
    missing = [
        f"{number}: {file}"
        for number, where in laws
        for file in re.findall(r"`([^`]+\.py)`", where)
        if not re.search(rf"^def test_{number}_", (PROJECT / "tests" / file).read_text(), re.MULTILINE)
    ]
    assert missing == []
