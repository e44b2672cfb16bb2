"""State is saved as plain data and restored into objects of the same make; what is not plain data is refused."""

import json
import math
import random
from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.engine.saved_state import NotRestorable, NotSavable, restore, save
from strades_pipelines.strategy.indicators import Donchian, Ema, Rsi, Sma


class Part:
    """A part with a number."""

    def __init__(self, number: float) -> None:
        self.number = number

    def act(self) -> None:
        """A method, which no data may take the place of."""


class OtherPart(Part):
    """Of the same attributes."""


class Whole:
    """All kinds of plain data, and two names of one part."""

    def __init__(self) -> None:
        self.flag, self.count, self.value, self.text = False, 0, math.nan, ""
        self.none: Any = None
        self.parts = [Part(1.0), Part(2.0)]
        self.first = self.parts[0]
        self.pair = (1, [0.0])
        self.window: deque[float] = deque(maxlen=3)
        self.by_key: dict[int, Any] = {}
        self.seen: set[int] = set()


def through_json(saved: Any) -> Any:
    return json.loads(json.dumps(saved))


def test_a_fresh_object_becomes_as_the_saved_one() -> None:
    whole = Whole()
    whole.flag, whole.count, whole.value, whole.text, whole.none = True, 2**60, 0.1, "x", -math.inf
    whole.first.number = 5.0
    whole.pair[1][:] = [1.0, math.nan]
    whole.window.extend([1.0, 2.0, 3.0, 4.0])
    whole.by_key[7] = [1, 2]
    whole.seen |= {3, 1}
    fresh = Whole()
    restore(fresh, through_json(save(whole)))
    assert json.dumps(save(fresh)) == json.dumps(save(whole))
    assert fresh.first is fresh.parts[0]
    assert fresh.first.number == 5.0
    fresh.window.append(9.0)
    assert list(fresh.window) == [3.0, 4.0, 9.0]  # its length is bounded still


def test_indicators_go_on_as_if_nothing_had_happened() -> None:
    values = [100 + 7 * math.sin(0.7 * n) for n in range(60)]
    for make in (lambda: Sma(7), lambda: Ema(9), lambda: Rsi(5)):
        whole: Any = make()
        expected = [whole.update(value) for value in values]
        begun: Any = make()
        for value in values[:31]:
            begun.update(value)
        resumed: Any = make()
        restore(resumed, through_json(save(begun)))
        assert [resumed.update(value) for value in values[31:]] == expected[31:]
    channel = Donchian(5)
    channel.update(3.0, 1.0)
    fresh = Donchian(5)
    restore(fresh, through_json(save(channel)))
    assert json.dumps(save(fresh)) == json.dumps(save(channel))


@pytest.mark.parametrize("value", [random.Random(1), lambda: 0, object(), {(1, 2): 3}, {"f": print}, b"bytes"])
def test_what_is_no_plain_data_is_refused_with_its_place(value: Any) -> None:
    whole = Whole()
    whole.none = [value]
    with pytest.raises(NotSavable, match=r"\.none"):
        save(whole)


def test_a_name_that_came_to_be_another_part_is_not_restored() -> None:
    """The fresh object's `first` is part 0: to write part 1 into it would change part 0."""
    whole = Whole()
    whole.first = whole.parts[1]
    with pytest.raises(NotRestorable, match=r"\.first"):
        restore(Whole(), through_json(save(whole)))


def test_a_part_of_its_own_where_the_fresh_object_has_one_with_two_names_is_not_restored() -> None:
    whole = Whole()
    whole.first = Part(3.0)
    with pytest.raises(NotRestorable, match=r"\.first"):
        restore(Whole(), through_json(save(whole)))


def test_a_part_of_another_class_is_not_restored() -> None:
    whole = Whole()
    whole.parts[1] = OtherPart(2.0)
    with pytest.raises(NotRestorable, match="OtherPart"):
        restore(Whole(), through_json(save(whole)))


def test_data_makes_no_object_and_replaces_no_method() -> None:
    saved = through_json(save(Whole()))
    saved["state"]["none"] = {"class": "subprocess.Popen", "state": {"args": "true"}}
    with pytest.raises(NotRestorable, match="Popen"):
        restore(Whole(), saved)
    saved = through_json(save(Part(1.0)))
    saved["state"]["act"] = "os.system"
    with pytest.raises(NotRestorable, match="act"):
        restore(Part(1.0), saved)


def test_what_is_left_out_may_lie_in_a_part_and_stays_as_it_is_there() -> None:
    whole, fresh = Part(1.0), Part(2.0)
    whole.inner, fresh.inner = Whole(), Whole()  # type: ignore[attr-defined]
    whole.inner.none = object()  # type: ignore[attr-defined]
    whole.inner.count, fresh.inner.none = 7, "its own"  # type: ignore[attr-defined]
    saved = through_json(save(whole, without=["inner.none"]))
    restore(fresh, saved, without=["inner.none"])
    assert (fresh.number, fresh.inner.count, fresh.inner.none) == (1.0, 7, "its own")  # type: ignore[attr-defined]
    with pytest.raises(NotSavable, match=r"\.inner\.none"):
        save(whole, without=["none"])  # a path begins at the object itself


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["class", "state", "same", "list"]), inner)
    ),
    max_leaves=8,
)


@given(JSON)
def test_any_other_data_is_refused_in_one_way(saved: Any) -> None:
    with pytest.raises(NotRestorable):
        restore(Whole(), saved)
    edited = through_json(save(Whole()))
    edited["state"]["parts"] = saved
    fresh = Whole()
    try:
        restore(fresh, edited)
    except NotRestorable:
        return
    plain = {type(part) for part in fresh.parts} if isinstance(fresh.parts, list) else set()
    assert plain <= {bool, int, float, str, type(None), list, dict, tuple, set, Part}
