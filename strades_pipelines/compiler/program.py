"""A program: the functions that methods on an object tree become, in one LLVM module."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

from llvmlite import ir

from strades_pipelines.compiler.copies import Accesses, Copies
from strades_pipelines.compiler.function_source import method_of
from strades_pipelines.compiler.lowered_values import (
    BOOL,
    INT,
    POINTER,
    TYPES,
    VOID,
    Computed,
    Event,
    NotCompilable,
    Number,
    Object,
    Recorded,
    Value,
)
from strades_pipelines.compiler.shapes import Shape

# What each function is given the addresses of: numbers at constant places, numbers in lists and in their objects, where
# the number of an error goes, and the table of the addresses of columns and reserves.
MEMORY = ("floats", "ints", "list_floats", "list_ints", "error", "table")
# In a hot function `floats` and `ints` are copies on the stack; these are the arrays that they were copied from.
ARRAYS = ("array_floats", "array_ints")


@dataclass(frozen=True)
class Function:
    """A function of the module: what it returns ("nothing" for none), and whether it can raise.

    One that can raise returns whether it did, with the number of what it raised in `error`, and else puts its result
    where its last argument says. A hot one works on copies of `floats` and `ints` on the stack, which LLVM keeps in
    registers.
    """

    made: ir.Function
    returns: str
    raises: bool
    hot: bool = False
    accesses: Accesses = field(default_factory=Accesses)


@dataclass(frozen=True)
class Used:
    """A constant or function that code was made with, and where it comes from."""

    space: Any
    name: str
    value: Any

    @property
    def is_same(self) -> bool:
        """Whether it is still what it was."""
        space = self.space
        now = space.get(self.name, self) if isinstance(space, Mapping) else getattr(space, self.name, self)
        # By its text: a number may be another object, and `==` takes 0.0 for -0.0 and no NaN for itself.
        return now is self.value or (type(now) is type(self.value) and repr(now) == repr(self.value))


class Lower(Protocol):
    """What makes an LLVM function of a Python function: `compiler.body.lower_function`."""

    def __call__(
        self, program: "Program", function: Callable[..., Any], arguments: Sequence[Value], *, hot: bool, apart: bool
    ) -> Function: ...


@dataclass
class Program:
    """The functions made so far, by what they were made of, and the errors they can raise.

    Args:
        lower: makes each function. A program is given it, because a body's calls ask the program for further functions:
            with an import the two modules would need each other.
        single: there is one instrument, so that the index of every event is 0.
        trusted: modules whose integers stay small.
        reals: float attributes and lists, by shape and name, that integers are put into: what is read there is a real.
        found_reals: where more of them are found, all is to be lowered again.
        reasons: why it does not compile.
        used: the constants and functions that the code was made with, and where they come from.
        ahead: the indicators that were updated ahead, by the shape of their owner and their names there.
        root: the object that `references` are parts of.
        kinds: those of the local numbers of functions.
    """

    lower: Lower
    single: bool = False
    trusted: frozenset[str] = frozenset()
    reals: frozenset[tuple[Shape, str]] = frozenset()
    found_reals: set[tuple[Shape, str]] = field(default_factory=set)
    reasons: list[str] = field(default_factory=list)
    used: dict[tuple[int, str], Used] = field(default_factory=dict)
    ahead: Mapping[tuple[Shape, str], Computed] = field(default_factory=dict)
    root: Object | None = None
    module: ir.Module = field(default_factory=lambda: ir.Module("strades"))
    functions: dict[tuple[Any, ...], Function] = field(default_factory=dict)
    kinds: dict[tuple[Any, ...], Mapping[str, str]] = field(default_factory=dict)
    failed: set[tuple[Any, ...]] = field(default_factory=set)
    under_way: dict[tuple[Any, ...], Accesses] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    copies: Copies = field(default_factory=Copies)

    @cached_property
    def nothing(self) -> Any:
        """The metadata of a load from what never changes."""
        return self.module.add_metadata([])

    @cached_property
    def lengths(self) -> Any:
        """The metadata of a load of a place or length."""
        # Never below 0, and no more than a memory holds: LLVM leaves out what that rules out.
        return self.module.add_metadata([INT(0), INT(1 << 48)])

    @property
    def now(self) -> Accesses:
        """Accesses of the function that is being lowered."""
        return next(reversed(self.under_way.values()))

    def uses(self, space: Any, name: str, value: Any) -> None:
        """Keep that the code holds as long as a name stands for this."""
        self.used[id(space), name] = Used(space, name, value)

    def record(self, reason: NotCompilable) -> None:
        """Keep why it does not compile; each reason once."""
        if not isinstance(reason, Recorded) and str(reason) not in self.reasons:
            self.reasons.append(str(reason))

    def refused(self) -> Recorded:
        """The error with all reasons so far."""
        return Recorded("\n".join(self.reasons))

    def error(self, name: str, text: str) -> int:
        """The number of an error; never 0."""
        entry = f"{name}: {text}"
        if entry not in self.errors:
            self.errors.append(entry)
        return self.errors.index(entry) + 1

    def method(
        self,
        owner: Object | Computed,
        name: str,
        arguments: Sequence[Value],
        where: str,
        *,
        hot: bool = False,
        apart: bool = False,
    ) -> Function:
        """The function for a method on an object with such arguments.

        Raises:
            NotCompilable: there is no such method, or it cannot be compiled.
        """
        function = method_of(owner.shape.cls, name)
        if function is None:
            raise NotCompilable(f"{where}: {owner.shape.cls.__name__} has no method {name} that can be compiled")
        if owner.shape.cls.__module__ not in self.trusted:
            self.uses(owner.shape.cls, name, inspect.getattr_static(owner.shape.cls, name))
        return self.function(function, [owner, *arguments], where, hot=hot, apart=apart)

    def function(
        self,
        function: Callable[..., Any],
        arguments: Sequence[Value],
        where: str,
        *,
        hot: bool = False,
        apart: bool = False,
    ) -> Function:
        """The function for a plain function with such arguments; what is rare is never hot, and `apart` from others."""
        apart = apart or getattr(function, "is_cold", False)
        hot = hot and not apart
        key = (function, hot, apart, *(key_of(argument) for argument in arguments))
        if key in self.under_way:
            raise NotCompilable(f"{where}: {function.__qualname__} calls itself")
        if key in self.failed:
            raise self.refused()
        if key not in self.functions:
            accesses = self.under_way[key] = Accesses()
            try:
                made = self.lower(self, function, arguments, hot=hot, apart=apart)
            except NotCompilable:
                self.failed.add(key)
                raise
            finally:
                del self.under_way[key]
            self.functions[key] = replace(made, accesses=accesses)
        if self.under_way:
            self.now.add(self.functions[key].accesses)
        return self.functions[key]

    def declare(self, name: str, arguments: Sequence[Value], *, hot: bool = False, cold: bool = False) -> ir.Function:
        """A new function of the module; what it returns is said by `define`, when it is known."""
        kinds = [kind for argument in arguments for kind in carried_types(argument)]
        memories = MEMORY + ARRAYS if hot else MEMORY
        # None of the C library's, which have no dot in theirs.
        name = self.module.get_unique_name(f"python.{name}")
        made = ir.Function(self.module, ir.FunctionType(VOID, [POINTER] * len(memories) + kinds), name)
        made.linkage = "internal"
        if cold:
            made.attributes.add("cold")
            made.attributes.add("noinline")
        else:
            made.attributes.add("alwaysinline")
        for memory, given in zip(memories, made.args, strict=False):
            given.name = memory
            given.add_attribute("noalias")
        return made

    def define(self, made: ir.Function, returns: str, *, raises: bool) -> None:
        """Say what a function returns: see `Function`."""
        kinds = [given.type for given in made.args]
        if raises and returns != "nothing":
            kinds.append(POINTER)
            made.args = (*made.args, ir.Argument(made, POINTER))
        result: ir.Type = BOOL if raises else TYPES[returns]
        made.ftype = ir.FunctionType(result, kinds)
        made.type = made.ftype.as_pointer()
        made.return_value = ir.ReturnValue(made, result)

    def discard(self, made: ir.Function) -> None:
        """Take a function out of the module."""
        del self.module.globals[made.name]


def key_of(value: Value) -> Any:
    """What of an argument decides the code of a function."""
    if isinstance(value, Object):
        return value.key
    if isinstance(value, Event):
        return (value.cls, value.row is None, *(number.kind for _, number in value.numbers))
    if isinstance(value, Computed):
        return (value.shape, value.columns)
    assert isinstance(value, Number)
    return value.kind


def carried(value: Value) -> list[Any]:
    """The values that carry an argument in a call."""
    if isinstance(value, Object):
        return [] if value.base_f is None else [value.base_f, value.base_n]
    if isinstance(value, Event):
        return [number.value for _, number in value.numbers] if value.row is None else [value.row]
    if isinstance(value, Computed):
        return [value.row]
    assert isinstance(value, Number)
    return [value.value]


def carried_types(value: Value) -> list[ir.Type]:
    """The types of what carries an argument."""
    if isinstance(value, Object):
        return [] if value.base_f is None else [INT, INT]
    if isinstance(value, Event):
        return [TYPES[number.kind] for _, number in value.numbers] if value.row is None else [INT]
    if isinstance(value, Computed):
        return [INT]
    assert isinstance(value, Number)
    return [TYPES[value.kind]]


def received(value: Value, given: "Any") -> Value:
    """What a function sees of an argument, from an iterator over its parameters."""
    if isinstance(value, Object):
        return value if value.base_f is None else Object(value.shape, 0, 0, next(given), next(given))
    if isinstance(value, Event) and value.row is not None:
        return Event(value.cls, row=next(given))
    if isinstance(value, Event):
        return Event(value.cls, tuple((name, Number(next(given), number.kind)) for name, number in value.numbers))
    if isinstance(value, Computed):
        return replace(value, row=next(given))
    assert isinstance(value, Number)
    return Number(next(given), value.kind)
