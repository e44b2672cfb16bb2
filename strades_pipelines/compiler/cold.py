"""What the compiler is told about methods; imported by the classes it compiles, so it imports nothing itself."""

from collections.abc import Callable
from typing import TypeVar

Method = TypeVar("Method", bound=Callable[..., object])


def cold(method: Method) -> Method:
    """Mark a method that few events need: compiled on its own, so that the code of most events stays short."""
    method.is_cold = True  # type: ignore[attr-defined]
    return method
