from itertools import product

import pytest

from strades_pipelines.market.order_states import TERMINAL, TRANSITIONS, UNSETTLED, WORKING, OrderState, is_allowed
from tests.brokerage.conftest import Connection, rows


def test_every_state_is_of_one_kind() -> None:
    assert sorted([*TERMINAL, *UNSETTLED, *WORKING]) == sorted(OrderState)
    assert {state for state in OrderState if state.is_over} == TERMINAL
    assert {state for state in OrderState if state.is_unsettled} == UNSETTLED


def test_an_order_begins_as_planned_and_reaches_every_other_state() -> None:
    assert [state for state in OrderState if is_allowed(None, state)] == [OrderState.PLANNED]
    reached = {OrderState.PLANNED}
    for _ in OrderState:
        reached |= {after for before in reached for after in TRANSITIONS[before]}
    assert reached == set(OrderState)


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_what_is_over_takes_late_fills_alone(state: OrderState) -> None:
    assert TRANSITIONS[state] <= {state, OrderState.FILLED}


def test_an_order_that_may_be_at_the_venue_is_never_dropped_without_its_word() -> None:
    # From submitting and unknown no way leads to planned or an end but those a venue reports; see the table's reasons.
    assert OrderState.PLANNED not in TRANSITIONS[OrderState.UNKNOWN]
    assert all(OrderState.SUBMITTING not in TRANSITIONS[state] for state in WORKING | TERMINAL)


def test_the_database_holds_the_same_table(connection: Connection) -> None:
    stored = set(rows(connection, "SELECT coalesce(before, ''), after FROM trading.order_transitions"))
    allowed = {(before, after) for before, after in product(OrderState, OrderState) if is_allowed(before, after)}
    assert stored == {("", OrderState.PLANNED)} | allowed
