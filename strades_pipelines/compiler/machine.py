"""From a program to machine code: optimized by LLVM for this processor, kept on disk by the hash of the program."""

import ctypes
import hashlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llvmlite
from llvmlite import binding

LEVEL = 3


@dataclass(frozen=True)
class Machine:
    """Loaded machine code; `functions` by name. It lives as long as this object does."""

    engine: Any
    functions: dict[str, Any]
    errors: Sequence[str]


def load(text: str, signatures: dict[str, Any], errors: Sequence[str], folder: Path) -> Machine:
    """The machine code of a module's text; from the folder where it is known, else optimized and put there.

    Args:
        signatures: the ctypes prototype of each function that is called from outside.
    """
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    target = binding.Target.from_default_triple().create_target_machine(
        cpu=binding.get_host_cpu_name(), features=binding.get_host_cpu_features().flatten(), opt=LEVEL, jit=True
    )
    known = folder / f"{_digest(text)}.o"
    module = binding.parse_assembly(text)
    if not known.exists():
        module.verify()
        _optimize(module, target)
        _write(known, target.emit_object(module))
    # Of nothing: the code comes as an object file.
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), target)
    engine.add_object_file(binding.ObjectFileRef.from_data(known.read_bytes()))
    engine.finalize_object()
    return Machine(engine, {name: kind(engine.get_function_address(name)) for name, kind in signatures.items()}, errors)


def _digest(text: str) -> str:
    """What machine code depends on: the program, the compiler, the processor."""
    parts = (text, llvmlite.__version__, binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _optimize(module: Any, target: Any) -> None:
    options = binding.create_pipeline_tuning_options(speed_level=LEVEL)
    options.loop_vectorization = False  # a sum must keep its order, and the loops are short
    options.inlining_threshold = 600  # one long loop with everything in it is what runs fast
    builder = binding.create_pass_builder(target, options)
    builder.getModulePassManager().run(module, builder)


def _write(path: Path, code: bytes) -> None:
    """Whole or not at all: two processes may write the same file at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    with os.fdopen(handle, "wb") as file:
        file.write(code)
    Path(temporary).replace(path)


def pointer(array: Any) -> Any:
    """The address of a contiguous array's first element."""
    return ctypes.c_void_p(array.ctypes.data)
