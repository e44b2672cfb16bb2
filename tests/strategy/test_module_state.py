"""What a module holds is put back: into the same objects, whatever was done to it."""

from pathlib import Path
from random import Random

import numpy as np
import pytest

from strades_pipelines.strategy.module_state import ModuleState
from tests.compiler.harness import module_of

SOURCE = """
from collections import deque
from random import Random
from threading import Lock
import numpy as np
from strades_pipelines.strategy.indicators import Sma

MEAN = Sma(3)
N, NAN, LOCKS = 1, float("nan"), [Lock()]
ROWS, BY, SEEN, LAST, WINDOW = [1.0, NAN], {"a": [1]}, {1}, deque([1, 2], maxlen=2), np.zeros(2)

class Box:
    made = 0
    def __init__(self):
        self.rows = []

RNG, DRAWS, LEGACY, DICE = Random(1), np.random.default_rng(1), np.random.RandomState(1), [Random(1)]
BOX = Box()
BOXES = [Box()]
SAME = ROWS
"""
CHANGES = (
    "N = 2",
    "ROWS.append(2.0)",
    "BY['a'].append(2)",
    "BY['b'] = 1",
    "SEEN.add(2)",
    "LAST.append(3)",
    "WINDOW[0] = 1.0",
    "Box.made = 1",
    "BOX.rows.append(1)",
    "BOX.more = 1",
    "BOXES[0].rows.append(1)",
    "MEAN.update(1.0)",
    "RNG.random()",
    "RNG.gauss()",
    "DRAWS.random()",
    "LEGACY.normal()",
    "DICE[0].random()",
    "NEW = 1",
    "del N",
)


def test_each_change_is_named_and_put_back_into_the_same_objects(tmp_path: Path) -> None:
    module = module_of(SOURCE, tmp_path)
    state, rows, rng = ModuleState([module]), module.ROWS, module.RNG
    assert state.changed() is None
    for change in CHANGES:
        exec(change, vars(module))
        assert state.changed() is not None, change
        state.restore()
        assert state.changed() is None, change
    assert module.ROWS is module.SAME is rows
    assert (len(rows), module.N, module.BY, module.BOX.rows, list(module.LAST)) == (2, 1, {"a": [1]}, [], [1, 2])
    assert not hasattr(module, "NEW")
    assert module.RNG is rng
    assert [rng.random(), module.DICE[0].random()] == [Random(1).random()] * 2
    assert module.DRAWS.random() == np.random.default_rng(1).random()


# What cannot be compared, is never equal to its copy, or sets no attribute; and what a run may do to each.
ODD = {
    "tables": ("import pandas as pd\nDATA = {'spy': pd.DataFrame({'close': [1.0, 2.0]})}", "DATA.clear()"),
    "series": ("import pandas as pd\nDATA = (pd.Series([1.0, 2.0]), 1)", "DATA = 1"),
    "loggers": ("import logging\nDATA = {'a': logging.getLogger('a')}", "DATA['b'] = 1"),
    "circle": (
        "class Node: pass\nDATA = [Node(), Node()]\nDATA[0].next, DATA[1].next = DATA[1], DATA[0]",
        "DATA.append(1)",
    ),
    "frozen": (
        "from dataclasses import dataclass\nfrom functools import cached_property\n"
        "@dataclass(frozen=True)\nclass Grid:\n    n: int = 2\n"
        "    @cached_property\n    def rows(self):\n        return [self.n]\nDATA = Grid()",
        "DATA.rows",
    ),
    "slots": ("class Slot:\n    __slots__ = ('n',)\nDATA = [Slot()]", "DATA[0].n = 1"),
    "objects": ("import numpy as np\nDATA = np.array([[1], None], dtype=object)", "DATA[1] = 2"),
    "fixed": ("import numpy as np\nDATA = np.zeros(2)", "DATA[0] = 1.0; DATA.flags.writeable = False"),
    "ambiguous": ("import pandas as pd\nDATA = 1", "DATA = [pd.Series([1.0, 2.0])]"),
}


@pytest.mark.parametrize("odd", ODD)
def test_whatever_a_module_holds_does_not_count_as_changed_by_itself_and_never_raises(odd: str, tmp_path: Path) -> None:
    source, change = ODD[odd]
    module = module_of(source + "\nN = 1\n", tmp_path)
    state = ModuleState([module])
    assert state.changed() is None
    state.restore()
    exec(change + "\nN = 2", vars(module))
    assert state.changed() is not None
    state.restore()
    assert module.N == 1
