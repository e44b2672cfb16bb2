"""Several requests of one account on their way at once."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from strades_pipelines.brokerage.brokers.venue import TakesSeveral, VenueBroker

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def lanes_of(venue: VenueBroker) -> Sequence[VenueBroker]:
    """The brokers that requests may go through at once; one where a venue takes one request at a time."""
    return venue.lanes() if isinstance(venue, TakesSeveral) else [venue]


def run_in_flight(
    lanes: Sequence[VenueBroker],
    items: Sequence[Item],
    request: Callable[[VenueBroker, Item], Answer],
    on_answers: Callable[[Sequence[tuple[Item, "Future[Answer]"]], int], bool],
) -> list[Item]:
    """Make a request for each item, begun in their order; returns the items whose request was held back.

    It returns, or raises, when no request is on its way any more.

    Args:
        lanes: each makes one request at a time; where one is enough it makes it in this thread.
        request: what it raises is its answer.
        on_answers: takes what has come, in this thread, and how many items wait; says whether to begin more.
    """
    waiting, free, goes_on = deque(items), list(reversed(lanes)), True
    running: dict[Future[Answer], tuple[Item, VenueBroker]] = {}
    workers = min(len(lanes), len(items))
    with _Inline() if workers < 2 else ThreadPoolExecutor(workers, thread_name_prefix="in-flight") as pool:
        while running or (waiting and goes_on):
            while waiting and free and goes_on:
                item, lane = waiting.popleft(), free.pop()
                running[pool.submit(request, lane, item)] = item, lane
            finished = wait(running, return_when=FIRST_COMPLETED).done
            answers = []
            # `wait` gives a set; answers are taken in the order in which their requests began.
            for future in [future for future in running if future in finished]:
                item, lane = running.pop(future)
                free.append(lane)
                answers.append((item, future))
            goes_on = on_answers(answers, len(waiting)) and goes_on
    return list(waiting)


class _Inline(Executor):
    """Does the work in the thread that asks for it: a connection to the database is not for several."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future
