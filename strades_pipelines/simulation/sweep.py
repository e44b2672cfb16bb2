"""Sweeps: many sets of parameters over the same bars, on all cores.

Compiled code runs without Python's lock, so threads share the bars; what runs per event runs in processes that hold
them once each. What is kept of a set does not grow with the bars, nor what is held in memory with the sets.
"""

import itertools
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from threading import local
from typing import Any

from strades_pipelines.engine.columns import Columns
from strades_pipelines.engine.shared_columns import SharedColumns
from strades_pipelines.simulation.runner import TOGETHER, Outcome, Result, Runner, SetRunner, SharedInputs, Sweep
from strades_pipelines.system.processes import die_with_parent

Set = Mapping[str, Any]
CHUNK = TOGETHER  # sets that a worker takes at once; few, so that all end at about the same time
AHEAD = 4  # chunks a worker that wait or are under way
# A sweep that is told to stop leaves its pool's semaphores to Python's resource tracker, a process that inherits this.
QUIET_TRACKER = "ignore:resource_tracker:UserWarning"
HELD = local()  # a worker's own runner


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_sets(sweep: Sweep, sets: Iterable[Set], *, jobs: int | None = None) -> Iterator[tuple[Set, Outcome]]:
    """Each set with its outcome, in the order of the sets.

    Args:
        jobs: how many run at once; None is one a core.

    Raises:
        NotCompilable: in mode compiled.
    """
    workers = jobs or cores()
    if sweep.mode == "events":
        yield from run_in_processes(sweep, sets, workers)
        return
    blocks = sweep.blocks()
    if workers == 1:
        yield from _in_turn(Runner(sweep, blocks), sets)
        return
    with ThreadPoolExecutor(workers, initializer=_begin_thread, initargs=(sweep, blocks, SharedColumns())) as pool:
        yield from in_chunks(pool.submit, sets, workers)


def mode_of(sweep: Sweep, sets: Iterable[Set]) -> tuple[str, str | None]:
    """Whether the sets run compiled or per event; in mode auto, why not compiled. The first valid set decides.

    Raises:
        NotCompilable: in mode compiled.
    """
    from strades_pipelines.compiler.lowered_values import NotCompilable

    if sweep.mode == "events":
        return "events", None
    runner = Runner(sweep)
    for chosen in sets:
        try:
            runner.check(chosen)
        except NotCompilable as error:
            if sweep.mode == "compiled":
                raise
            return "events", str(error)
        except ValueError:
            continue
        break
    return "compiled", None


def in_chunks(
    submit: Callable[..., "Future[list[Any]]"], sets: Iterable[Set], workers: int
) -> Iterator[tuple[Set, Any]]:
    """Hand chunks of sets to workers, a few ahead of what is taken, and give the results in order."""
    waiting: deque[tuple[Sequence[Set], Future[list[Any]]]] = deque()
    source = iter(sets)
    try:
        while True:
            while len(waiting) < AHEAD * workers and (chunk := list(itertools.islice(source, CHUNK))):
                waiting.append((chunk, submit(run_chunk, chunk)))
            if not waiting:
                return
            chosen, future = waiting.popleft()
            yield from zip(chosen, future.result(), strict=True)
    finally:
        # Whoever takes the results has stopped: what has not begun need not.
        for _, future in waiting:
            future.cancel()


def run_chunk(sets: Sequence[Set]) -> list[Any]:
    """Run some sets with the worker's own runner."""
    results: list[Any] = HELD.runner.run_all(sets)
    return results


def _in_turn(runner: SetRunner[Result], sets: Iterable[Set]) -> Iterator[tuple[Set, Result]]:
    source = iter(sets)
    while chunk := list(itertools.islice(source, CHUNK)):
        yield from zip(chunk, runner.run_all(chunk), strict=True)


def _begin_worker(inputs: SharedInputs[Any]) -> None:
    # Ctrl-C in a terminal reaches all processes; the one that started this worker ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent(os.getppid())
    HELD.runner = inputs.runner()


def _begin_thread(sweep: Sweep, blocks: Sequence[Columns], shared: SharedColumns) -> None:
    HELD.runner = Runner(sweep, blocks, shared)


def run_in_processes(inputs: SharedInputs[Result], sets: Iterable[Set], workers: int) -> Iterator[tuple[Set, Result]]:
    """Each set with its result, in the order of the sets; one worker is this process."""
    if workers == 1:
        yield from _in_turn(inputs.runner(), sets)
        return
    if QUIET_TRACKER not in sys.warnoptions:
        sys.warnoptions.append(QUIET_TRACKER)
    # Not forked: this process may have threads, which a fork would leave half-way.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_begin_worker, initargs=(inputs,)) as pool:
        yield from in_chunks(pool.submit, sets, workers)
