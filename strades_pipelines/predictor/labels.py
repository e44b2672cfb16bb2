"""What is predicted: a listing's total return to its next session's close, and when that is known.

A label is known with the later of its two bars: a bar may come after the next session's. Which session is the next is
what is stored, known or not, so that a label does not depend on when it is read.
"""

import numpy as np

from strades_pipelines.predictor.windows import Floats

# Of a `row` with listing_id, session_date and decision_time: its bar, as decided on, and the bar after it. LIMIT makes
# each an index lookup, whatever the planner believes; a row whose bar was replaced since, or is the last, has no label.
LABEL_JOINS = """
    CROSS JOIN LATERAL (
        SELECT own.close, own.total_return_factor FROM cleaned.daily_bars AS own
        WHERE own.listing_id = row.listing_id AND own.session_date = row.session_date
            AND own.knowledge_time = row.decision_time
        LIMIT 1
    ) AS bar
    CROSS JOIN LATERAL (
        SELECT own.close, own.total_return_factor, own.knowledge_time FROM cleaned.daily_bars AS own
        WHERE own.listing_id = row.listing_id AND own.session_date > row.session_date
        ORDER BY own.session_date LIMIT 1
    ) AS next_bar
"""
LABEL_COLUMNS = """
    bar.close * bar.total_return_factor AS growth, next_bar.close * next_bar.total_return_factor AS next_growth,
    greatest(row.decision_time, next_bar.knowledge_time) AS knowledge_time
"""


def next_session_return(growth: Floats, next_growth: Floats) -> Floats:
    """ln(next growth / growth), where growth is close * total return factor; all of shape (n,)."""
    return np.asarray(np.log(next_growth / growth))
