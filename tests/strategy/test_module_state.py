"""What a module holds is put back: into the same objects, whatever was done to it."""

from pathlib import Path

from strades_pipelines.strategy.module_state import ModuleState
from tests.strategy.compiler.harness import module_of

SOURCE = """
from collections import deque
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
    "NEW = 1",
    "del N",
)


def test_each_change_is_named_and_put_back_into_the_same_objects(tmp_path: Path) -> None:
    module = module_of(SOURCE, tmp_path)
    state, rows = ModuleState([module]), module.ROWS
    assert state.changed() is None
    for change in CHANGES:
        exec(change, vars(module))
        assert state.changed() is not None, change
        state.restore()
        assert state.changed() is None, change
    assert module.ROWS is module.SAME is rows
    assert (len(rows), module.N, module.BY, module.BOX.rows, list(module.LAST)) == (2, 1, {"a": [1]}, [], [1, 2])
    assert not hasattr(module, "NEW")
