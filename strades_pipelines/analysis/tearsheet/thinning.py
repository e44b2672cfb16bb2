"""Few points that draw the same line: a chart is a thousand dots wide, a run may have millions of valuations."""

from itertools import pairwise

import numpy as np

from strades_pipelines.analysis.arrays import Floats, Ints

POINTS = 4_000


def thinned(values: Floats, points: int = POINTS) -> Ints:
    """Rows to draw: the first, last, lowest and highest of each of points / 4 equal stretches, ascending.

    Jugel et al. 2014, "M4: A Visualization-Oriented Time Series Data Aggregation": no extreme is lost. A nan is none.
    """
    n = len(values)
    if n <= points:
        return np.arange(n)
    edges = np.linspace(0, n, points // 4 + 1).astype(np.int64)
    rows = [edges[:-1], edges[1:] - 1]
    for fill, pick in ((np.inf, np.argmin), (-np.inf, np.argmax)):
        filled = np.where(np.isnan(values), fill, values)
        rows.append(np.array([a + pick(filled[a:b]) for a, b in pairwise(edges)]))
    return np.unique(np.concatenate(rows)).astype(np.int64)
