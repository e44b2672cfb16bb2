"""One call from Python that makes many of a program's `run`: Python's lock is given up once for all of them."""

import ctypes
from collections.abc import Callable
from functools import cache
from pathlib import Path

from strades_pipelines.compiler.machine import load
from strades_pipelines.compiler.program import MEMORY

ARGUMENTS = ("ptr",) * len(MEMORY) + ("i64", "i64")
# A row: the address of the function, its arguments, and what it returned.
WIDTH = 1 + len(ARGUMENTS) + 1


@cache
def run_many(folder: Path) -> Callable[[int, int], None]:
    """What takes the address of rows of int64, shape (calls, `WIDTH`), and how many there are.

    It writes the last column. Nothing is checked: what the rows say is where it reads and writes.
    """
    prototype = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)
    machine = load(_text(), {"many": prototype}, (), folder)
    call = machine.functions["many"]
    call.machine = machine  # which lives as long as the code is held
    found: Callable[[int, int], None] = call
    return found


def _text() -> str:
    places = "\n".join(f"  %p{k} = getelementptr i64, ptr %row, i64 {k}" for k in range(WIDTH))
    loads = "\n".join(f"  %a{k} = load {kind}, ptr %p{k}" for k, kind in enumerate(("ptr", *ARGUMENTS)))
    given = ", ".join(f"{kind} %a{k}" for k, kind in enumerate(ARGUMENTS, 1))
    return f"""
define void @many(ptr %rows, i64 %count) {{
entry:
  br label %next
next:
  %k = phi i64 [ 0, %entry ], [ %after, %one ]
  %more = icmp slt i64 %k, %count
  br i1 %more, label %one, label %end
one:
  %at = mul i64 %k, {WIDTH}
  %row = getelementptr i64, ptr %rows, i64 %at
{places}
{loads}
  %done = call i64 %a0({given})
  store i64 %done, ptr %p{WIDTH - 1}
  %after = add i64 %k, 1
  br label %next
end:
  ret void
}}
"""
