"""Closing what is held when the bars end, for results that hold nothing open."""

import numpy as np

from strades_pipelines.engine.session import Progress

CLOSED_AT_END = 0  # the number of the order that these fills belong to: none


def close_positions(progress: Progress) -> int:
    """Sell and buy back what an engine holds, at the last closes, with the fees and the slippage of its terms.

    The fills are the last rows of the journal; the last value of the account is the one after them. Returns how many
    fills these are.
    """
    engine, journal = progress.engine, progress.journal
    state, account = engine.state, engine.account
    rows = []
    for i in range(account.size):
        held = account.position[i]
        if held == 0.0:
            continue
        price = state.broker.worse(account.price[i], -held, state.volume[i])
        fee = state.broker.fee.of(abs(held), price * account.multiplier[i], False)
        state.apply_fill(i, -held, price, (-held * price * account.multiplier[i] + fee) * account.rate[i])
        time = account.price_time[i]
        rows.append((CLOSED_AT_END, i, -held, price, fee, time, account.now, account.cash))
    if rows:
        journal["fills"] = np.concatenate([journal["fills"], np.array(rows, np.float64)])
        if len(journal["values"]):
            journal["values"] = journal["values"].copy()
            journal["values"][-1] = account.cash, 0.0
    return len(rows)
