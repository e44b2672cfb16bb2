"""What code asks for, read from its text: nothing of it is run."""

import ast
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import packages_distributions

from strades_pipelines.sharing.manifest import BundleRefused, Permission

HOOKS: Mapping[str, Permission] = {
    "on_aggregate_bar": "bars",
    "on_bar_revision": "bars",
    "on_gap": "bars",
    "on_trade": "trades",
    "on_quote": "quotes",
    "on_article": "news",
    "on_prediction": "predictions",
    "models": "predictions",
    "on_corporate_action": "corporate_actions",
    "on_timer": "timer",
}
ACTS: Mapping[str, Permission] = {
    "target": "targets",
    "set_weight": "targets",
    "set_notional": "targets",
    "order": "orders",
    "bracket": "orders",
    "cancel": "orders",
    "cancel_all": "orders",
}
# By these a program reaches what no list of imports shows.
UNSEEN = frozenset(
    {
        *("__import__", "eval", "exec", "compile", "open", "getattr", "setattr"),
        *("globals", "locals", "vars", "__builtins__"),
    }
)


def permissions_of(files: Mapping[str, bytes]) -> tuple[Permission, ...]:
    """The events that the code hears and the acts that it asks for, sorted; by path of each file its bytes.

    Raises:
        BundleRefused: a file is no Python, with the line.
    """
    found: set[Permission] = set()
    for node in _nodes(files):
        found |= {HOOKS[name] for name in _names_bound(node) if name in HOOKS}
        if isinstance(node, ast.Attribute) and node.attr in ACTS:
            found.add(ACTS[node.attr])
    return tuple(sorted(found))


def _names_bound(node: ast.AST) -> tuple[str, ...]:
    """The names that a node gives to something: by `def`, an assignment, to an attribute also, or an import."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return (node.name,)
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return (node.id,)
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        return (node.attr,)
    if isinstance(node, ast.alias):
        return (node.asname or node.name,)
    return ()


def reaches(files: Mapping[str, bytes]) -> tuple[str, ...]:
    """What a reader should look at: modules beside Strades that the code imports, and names that reach further.

    A file of the bundle itself is none, unless it has the name of a module of Python or of an installed package: nobody
    sees which of the two is imported.

    Raises:
        BundleRefused: a file is no Python, with the line.
    """
    own = {path.removeprefix("code/").removesuffix(".py").partition("/")[0] for path in files}
    found = set()
    for node in _nodes(files):
        if isinstance(node, ast.Import):
            found |= {_root(alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(_root(node.module))
        elif isinstance(node, ast.Name) and node.id in UNSEEN:
            found.add(f"{node.id}()")
    own -= {*sys.stdlib_module_names, *packages_distributions()}
    return tuple(sorted(found - own - {"strades_pipelines", "__future__"}))


def _root(name: str) -> str:
    return name.partition(".")[0]


def _nodes(files: Mapping[str, bytes]) -> Iterator[ast.AST]:
    for path, content in sorted(files.items()):
        yield from ast.walk(_parsed(path, content))


def _parsed(path: str, content: bytes) -> ast.AST:
    try:
        return ast.parse(content, path)
    except SyntaxError as error:
        raise BundleRefused(f"{path}:{error.lineno}: expected Python, found {error.msg}") from None
    # What the parser raises on hostile text beside SyntaxError: for NUL, depth and size.
    except (ValueError, RecursionError, MemoryError) as error:
        raise BundleRefused(f"{path}: expected Python, found {error or type(error).__name__}") from None
