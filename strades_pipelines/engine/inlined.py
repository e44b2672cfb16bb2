"""A hook of an engine as one Python function: the same statements, with the calls between its own parts written out.

Per event most of the time goes into calls, empty hooks, and looking up what never changes. Here the methods of engine,
account and journal that are called as statements take the place of their calls; hooks that a strategy leaves empty and
branches that `constants` decide fall away; parts and lists, which an engine never replaces, are looked up once. A
strategy and its tactics are called as they are.
"""

import ast
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from strades_pipelines.compiler.program import method_of, read_source
from strades_pipelines.engine.inlined_body import Body, copied, is_text

# Whose methods are written out: what is made of numbers, as compiled code has it.
PARTS = (
    "corporate_action_effects",
    "engine",
    "explicit_orders",
    "gate",
    "journal",
    "margin_calls",
    "order_fills",
    "simulated_broker",
    "state",
)
OWN = {f"strades_pipelines.engine.{name}" for name in (*PARTS, "tally", "targets")}
OWN |= {"strades_pipelines.strategy.account", "strades_pipelines.market.fees"}
# Where hooks that do nothing come from.
EMPTY = {"strades_pipelines.strategy.strategy", "strades_pipelines.strategy.tactics"}


def stepper(engine: Any, hook: str, event: type, fields: Sequence[str]) -> Callable[[Iterable[tuple[Any, ...]]], None]:
    """A function that makes an event of each of some rows and gives it to a hook of the engine.

    Args:
        event: the class of the events, all of whose attributes are `fields`, in the order of the rows.
    """
    inliner = Inliner((engine.strategy, *engine.tactics))
    made = ast.Call(inliner.name_of(object.__new__), [inliner.name_of(event)], [])
    target = ast.Tuple([ast.Name(f"event_{name}", ast.Store()) for name in fields], ast.Store())
    begin: list[ast.stmt] = [ast.Assign([ast.Name("event", ast.Store())], made)]
    for name in fields:
        place = ast.Attribute(ast.Name("event", ast.Load()), name, ast.Store())
        begin.append(ast.Assign([place], ast.Name(f"event_{name}", ast.Load())))
    body = inliner.method(engine, hook, [ast.Name("event", ast.Load())])
    if body is None:
        body = [ast.Expr(ast.Call(inliner.name_of(getattr(engine, hook)), [ast.Name("event", ast.Load())], []))]
    loop = ast.For(target, ast.Name("rows", ast.Load()), [*begin, *body], [])
    inliner.functions.append(_function("step", ast.arguments([], [ast.arg("rows")], None, [], [], None, []), [loop]))
    module = ast.fix_missing_locations(ast.Module(inliner.functions, []))
    space = dict(inliner.bound)
    exec(compile(module, f"<{type(engine).__name__}.{hook}>", "exec"), space)
    step: Callable[[Iterable[tuple[Any, ...]]], None] = space["step"]
    return step


def _function(name: str, arguments: ast.arguments, body: list[ast.stmt]) -> ast.FunctionDef:
    return ast.FunctionDef(name, arguments, body or [ast.Pass()], [], None, lineno=1)


class Inliner:
    """Writes out methods; `bound` are the objects that the code looks at, by the names it has for them.

    Args:
        foreign: objects whose methods are called as they are.
    """

    def __init__(self, foreign: Sequence[Any]) -> None:
        self.bound: dict[str, Any] = {}
        self.functions: list[ast.stmt] = []
        self._foreign = {id(one) for one in foreign}
        self._made = 0
        self._named: dict[tuple[int, str], str] = {}

    def method(self, obj: Any, name: str, arguments: list[ast.expr]) -> list[ast.stmt] | None:
        """The statements of a method on such arguments; None where it has to be called."""
        function = method_of(type(obj), name)
        if function is None or name in vars(obj):
            return None
        tree = read_source(function).tree if function.__module__ in EMPTY | OWN else None
        if tree is not None and all(is_text(line) for line in tree.body):
            return []
        if tree is None or not self._is_own(obj, function) or getattr(function, "is_rare", False) or _returns(tree):
            return None
        names = [argument.arg for argument in tree.args.args]
        if len(names) != len(arguments) + 1:
            return None
        return self._body(function, tree).lines(obj, names, arguments)

    def called(self, obj: Any, name: str) -> ast.expr | None:
        """The name of a function that does what a method does; None where it is called as it is."""
        function = method_of(type(obj), name)
        if function is None or name in vars(obj) or not self._is_own(obj, function):
            return None
        key = (id(obj), name)
        if key not in self._named:
            tree = read_source(function).tree
            self._named[key] = f"{name}_{len(self._named)}"
            arguments = copied(tree.args)
            body = self._body(function, tree)
            arguments.args = [ast.arg(body.local(argument.arg)) for argument in arguments.args[1:]]
            arguments.defaults = [self.name_of(default) for default in function.__defaults__ or ()]
            lines = body.lines(obj, [argument.arg for argument in tree.args.args[:1]], [])
            self.functions.append(_function(self._named[key], arguments, lines))
        return ast.Name(self._named[key], ast.Load())

    def _is_own(self, obj: Any, function: Any) -> bool:
        return id(obj) not in self._foreign and function.__module__ in OWN and not function.__closure__

    def _body(self, function: Any, tree: ast.FunctionDef) -> "Body":
        self._made += 1
        return Body(self, function.__globals__, tree, self._made)

    def name_of(self, value: Any) -> ast.expr:
        """The name of an object in the code."""
        for name, known in self.bound.items():
            if known is value:
                return ast.Name(name, ast.Load())
        # No local name begins so: one called `known` gets a number behind it as well, and shadowed an object once.
        name = f"__known_{len(self.bound)}"
        self.bound[name] = value
        return ast.Name(name, ast.Load())


def _returns(tree: ast.FunctionDef) -> bool:
    return any(isinstance(node, ast.Return) for node in ast.walk(tree))
