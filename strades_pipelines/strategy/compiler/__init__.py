"""Compiles plain classes over numbers: the same source runs per event in Python and, by LLVM, over columns.

`shapes` finds where each attribute of an object tree lies in two flat arrays (floats F, integers N); `program`, `body` and
`expressions` turn methods into LLVM functions over those arrays, with `numbers` for Python's arithmetic; `machine` keeps
the machine code on disk.
"""
