"""Analysis: what a run's account did, and what that is worth. Pure functions over NumPy arrays; nothing runs here.

Times are int64 microseconds since 1970-01-01T00:00Z. A figure that is not defined for its input is nan, never an
exception or a warning; JSON has null there.
"""
