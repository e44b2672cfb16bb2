"""Compile plain numeric classes: the same source runs per event in Python and, by LLVM, over columns.

`shapes` finds where each attribute of an object tree lies in two flat arrays (floats F, integers N), `layout` puts it
there; `program`, `body`, `loops`, `expressions`, `places`, `operators` and `calls` turn methods into LLVM functions
over those arrays, with `numbers` for Python's arithmetic; `loop` runs them over columns of events, `copies` keeps in
registers what it can; `bar_hook` and `bar_indicators` find the indicators that depend on bars alone, `indicator_loop`
updates them in a loop of their own; `machine` keeps the machine code on disk.
"""
