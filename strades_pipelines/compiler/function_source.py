"""The syntax tree of a function that is to be compiled, and the names that it sees."""

import ast
import inspect
import textwrap
from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from strades_pipelines.compiler.lowered_values import NotCompilable

DECORATORS = ("property", "cold")


@dataclass(frozen=True)
class Source:
    """A function's syntax tree, where it stands, and the names it sees."""

    tree: ast.FunctionDef
    file: str
    first_line: int
    names: Mapping[str, Any]

    @cached_property
    def locals(self) -> frozenset[str]:
        """Local names; Python never looks these up outside, even before they are assigned."""
        nodes = [node for node in ast.walk(self.tree) if isinstance(node, ast.Name)]
        stored = {node.id for node in nodes if not isinstance(node.ctx, ast.Load)}
        return frozenset(stored | {argument.arg for argument in self.tree.args.args})

    def knows(self, name: str) -> bool:
        """Whether a name is one of the module, or of the function around."""
        return name not in self.locals and name in self.names

    def where(self, node: ast.AST) -> str:
        """`<file>:<line>` of a node."""
        return f"{self.file}:{self.first_line + getattr(node, 'lineno', 1) - 1}"


@cache
def read_source(function: Callable[..., Any]) -> Source:
    """The syntax tree of a function written in Python.

    Raises:
        NotCompilable: its source is not available.
    """
    try:
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines))).body[0]
        file = inspect.getsourcefile(function) or "?"
    except (OSError, TypeError, SyntaxError) as error:
        raise NotCompilable(f"{function.__qualname__}: its source cannot be read ({error})") from None
    others = [one for one in getattr(tree, "decorator_list", ()) if ast.unparse(one) not in DECORATORS]
    if others:
        raise NotCompilable(f"{file}:{first}: the decorator {ast.unparse(others[0])} of {function.__qualname__}")
    if not isinstance(tree, ast.FunctionDef) or hasattr(function, "__wrapped__"):
        raise NotCompilable(f"{file}:{first}: {function.__qualname__} is no plain function")
    given = tree.args
    if given.vararg or given.kwarg or given.kwonlyargs or given.posonlyargs:
        raise NotCompilable(
            f"{file}:{first}: the parameters of {tree.name}({ast.unparse(given)}); "
            "only plain parameters can be compiled"
        )
    around = inspect.getclosurevars(function).nonlocals if function.__closure__ else {}
    return Source(tree, file, first, ChainMap(dict(around), function.__globals__))


def method_of(cls: type, name: str) -> Callable[..., Any] | None:
    """The function behind a method or property of a class; None where there is none."""
    found = inspect.getattr_static(cls, name, None)
    if isinstance(found, property):
        return found.fget
    return found if inspect.isfunction(found) else None
