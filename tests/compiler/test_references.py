"""Parts of one object that know each other: compiled, an attribute of `references` is the root's part itself."""

from pathlib import Path
from typing import ClassVar

import pytest

from strades_pipelines.compiler.aliases import check_aliases
from strades_pipelines.compiler.layout import Packer
from strades_pipelines.compiler.lowered_values import NotCompilable
from strades_pipelines.compiler.object_shapes import shape_of
from strades_pipelines.strategy.events import Bar
from tests.compiler.harness import Compiled, Stepped, bits, in_python

ROWS = [(10.0, 12.0, 9.0, 11.0, 5.0), (11.0, 13.0, 10.0, 12.5, 6.0), (12.0, 12.5, 8.0, 9.0, 7.0)]


class Book:
    """Owns a number, a list and a part."""

    def __init__(self) -> None:
        self.cash = 100.0
        self.closes = [0.0] * 4
        self.steps = 0

    def keep(self, close: float) -> float:
        """Keep one more close."""
        self.closes[self.steps % 4] = close
        self.steps += 1
        return self.closes[0]


class Clerk:
    """Writes into the book of the desk."""

    references: ClassVar = ("book",)

    def __init__(self, book: Book) -> None:
        self.book = book
        self.paid = 0.0

    def pay(self, amount: float) -> None:
        """Pay out of the book's cash."""
        book = self.book
        book.cash -= amount
        self.paid += book.keep(amount)


class Manager:
    """Knows the clerk, and through it and by itself the book."""

    references: ClassVar = ("book", "clerk")

    def __init__(self, book: Book, clerk: Clerk) -> None:
        self.book = book
        self.clerk = clerk
        self.seen = 0.0

    def decide(self, bar: Bar) -> None:
        """Let the clerk pay, and look at both."""
        self.clerk.pay(bar.close - bar.open)
        if self.clerk.book.cash > self.book.closes[1]:
            self.seen += self.book.cash


class Desk(Stepped):
    """The root; its parts know one another."""

    def __init__(self) -> None:
        super().__init__()
        self.book = Book()
        self.clerk = Clerk(self.book)
        self.manager = Manager(self.book, self.clerk)

    def on_bar(self, bar: Bar) -> None:
        """A bar."""
        self.manager.decide(bar)
        self.out = self.book.cash


@pytest.mark.parametrize("apart", [False, True], ids=["hot", "on the arrays"])
def test_what_a_part_changes_in_another_part_every_part_sees(tmp_path: Path, apart: bool) -> None:
    plain, compiled = Desk(), Desk()
    plain.apart = compiled.apart = apart
    check_aliases(compiled, "desk")
    assert in_python(plain, ROWS) is None
    assert Compiled(compiled, tmp_path).run(compiled, ROWS) is None
    assert bits(compiled) == bits(plain)
    assert compiled.book.cash == 100 - 1 - 1.5 + 3
    assert compiled.manager.book is compiled.clerk.book is compiled.book


def test_a_part_is_laid_out_once_however_many_refer_to_it() -> None:
    desk, packer = Desk(), Packer()
    shape = shape_of(desk)
    packer.add(desk, shape)
    floats, integers = packer.arrays()
    assert floats.tolist().count(100.0) == 1
    assert (shape.f_size, shape.n_size) == (
        1 + 1 + 1 + 1,
        4 + 2 + 1,
    )  # out; cash; paid; seen; the bools, the list, steps
    assert (len(floats), len(integers)) == (shape.f_size + 4, shape.n_size)
    cash = shape.at("book", "cash")
    assert floats[cash.f] == 100.0


def test_what_is_left_out_of_a_layout_leaves_the_rest_where_it_was() -> None:
    whole = shape_of(Desk())
    rest = whole.without("book", "cash")
    assert rest.at("book", "closes") == whole.at("book", "closes")
    assert (rest.f_size, rest.n_size) == (whole.f_size, whole.n_size)
    assert rest.at("book").shape is not None
    assert "cash" not in dict(rest.at("book").shape.fields)  # type: ignore[union-attr]


def test_a_reference_to_anything_but_the_roots_part_is_refused() -> None:
    desk = Desk()
    desk.clerk.book = Book()
    with pytest.raises(NotCompilable, match=r"test_references\.py:\d+: desk\.clerk\.book is not desk\.book"):
        check_aliases(desk, "desk")


def test_a_second_name_that_no_class_declares_is_refused_as_before() -> None:
    desk = Desk()
    desk.spare = desk.book  # type: ignore[attr-defined]
    with pytest.raises(NotCompilable, match="are the same Book"):
        check_aliases(desk, "desk")


class Lonely(Stepped):
    """Names a reference that its root has not got."""

    references: ClassVar = ("book",)

    def __init__(self) -> None:
        super().__init__()
        self.book = Book()

    def on_bar(self, bar: Bar) -> None:
        """A bar."""
        self.out = self.book.cash


def test_the_root_itself_refers_to_nothing(tmp_path: Path) -> None:
    with pytest.raises(NotCompilable, match=r"root\.book is not root\.book"):
        check_aliases(Lonely(), "root")
    with pytest.raises(NotCompilable, match=r"self\.book is no part of the root"):
        Compiled(Lonely(), tmp_path)
