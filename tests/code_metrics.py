"""Sizes of files and functions, return types, docstrings and comments of the code: `python -m tests.code_metrics`."""

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from strades_pipelines.settings import PROJECT

PACKAGES = ("strades_pipelines", "dashboard", "scrapers", "sandbox", "benchmarks", "dependencies", "scaffold")
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class FunctionMetrics:
    """A function or method: its place, its lines without decorators, and whether it says what it returns."""

    where: str
    lines: int
    has_return_type: bool
    is_documented: bool | None  # None for a private one, and for one inside another


@dataclass(frozen=True)
class FileMetrics:
    """A file: how many lines it has, and how many of them have a comment."""

    path: Path
    lines: int
    comments: int
    functions: tuple[FunctionMetrics, ...]


def measure(package: str) -> list[FileMetrics]:
    """The files of a package, without Django's migrations, which Django writes."""
    paths = sorted((PROJECT / package).rglob("*.py"))
    return [
        measure_text(path.read_text(encoding="utf-8"), path.relative_to(PROJECT))
        for path in paths
        if path.parent.name != "migrations"
    ]


def measure_text(text: str, path: Path) -> FileMetrics:
    """Measure the text of one file. Comments to tools (`noqa`, `type: ignore`, `fmt`) are not counted."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    comments = [token for token in tokens if token.type == tokenize.COMMENT and not _is_directive(token.string)]
    lines = {token.start[0] for token in comments}
    return FileMetrics(path, len(text.splitlines()), len(lines), tuple(_functions(ast.parse(text), path)))


def _is_directive(comment: str) -> bool:
    """Whether a comment speaks to a tool."""
    return comment.removeprefix("#").strip().startswith(("noqa", "type: ignore", "fmt:", "!"))


def _functions(tree: ast.Module, path: Path) -> Iterator[FunctionMetrics]:
    for parent in ast.walk(tree):
        for node in ast.iter_child_nodes(parent):
            if isinstance(node, Function):
                is_public = isinstance(parent, ast.Module | ast.ClassDef) and not node.name.startswith("_")
                yield FunctionMetrics(
                    f"{path}: {node.name}",
                    (node.end_lineno or node.lineno) - node.lineno + 1,
                    node.returns is not None,
                    bool(ast.get_docstring(node)) if is_public else None,
                )


def _line(name: str, files: list[FileMetrics]) -> str:
    functions = [function for file in files for function in file.functions]
    lines = sum(file.lines for file in files)
    typed = np.mean([function.has_return_type for function in functions])
    documented = np.mean([function.is_documented for function in functions if function.is_documented is not None])
    comments = sum(file.comments for file in files) / lines
    return (
        f"{name:18} {len(files):5} {lines:7}  {_spread([file.lines for file in files]):>12}"
        f"  {_spread([function.lines for function in functions]):>10}  {typed:7.1%}  {documented:6.1%}  {comments:6.1%}"
    )


def _spread(sizes: list[int]) -> str:
    return "/".join(f"{size:.0f}" for size in (*np.percentile(sizes, [50, 90]), max(sizes)))


def main() -> None:
    """Print a line for each package and one for all: median, 90th percentile and largest of the sizes."""
    print(f"{'':18} files   lines  lines a file   a function  returns  docs    comments")
    measured = {package: measure(package) for package in PACKAGES}
    for package, files in measured.items():
        print(_line(package, files))
    print(_line("all", list(chain.from_iterable(measured.values()))))


if __name__ == "__main__":
    main()
