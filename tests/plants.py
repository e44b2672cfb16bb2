"""Planted bugs: one wrong line each, in a throw-away copy, and the test that must turn red.

`python -m tests.plants` sets them all, `python -m tests.plants WORD` those whose description has the word, and
`python -m tests.plants --part 2/4` a quarter of them, so that the machine may be used for something else in between.

Not a part of the suite: it shows that the suite can fail where it matters. The tests named run once on a clean copy,
where they must be green, then each plant is set, its test run, and the plant taken out again.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from strades_pipelines.database.server import EmbeddedServer
from tests.conftest import FAST, PROJECT, SHARED

PACKAGE = "strades_pipelines"
FAILED = 1  # pytest's exit code when tests failed; another one is no proof


@dataclass(frozen=True)
class Plant:
    """What is wrong, where, the line as it is and as it is planted, and the test that sees it.

    `finding` is the fault of the first whole review (B1 to B11) that the line would be.
    """

    what: str
    file: str
    old: str
    new: str
    test: str
    finding: str = ""


PLANTS = (
    Plant(
        "a bar is known a moment before its close",
        f"{PACKAGE}/ingestion/candles.py",
        '"knowledge_time": times_column(bars.closes),',
        '"knowledge_time": times_column(bars.closes - 1),',
        "tests/ingestion/test_parse.py::test_forming_bar_is_not_final_and_known_at_its_close",
    ),
    Plant(
        "rows are committed before their cursor",
        f"{PACKAGE}/ingestion/loader.py",
        'crash_point("records.copied")',
        'cursor.execute("COMMIT"), crash_point("records.copied")',
        "tests/ingestion/test_loader.py::test_killed_load_leaves_all_or_nothing_and_the_next_one_completes_it",
    ),
    Plant(
        "a rejected row is dropped without a trace",
        f"{PACKAGE}/ingestion/parse_log.py",
        "for item in outcome.rejects\n",
        "for item in outcome.rejects[1:]\n",
        "tests/ingestion/test_parse_log.py::test_bad_rows_are_kept_as_rejects_and_good_ones_loaded",
    ),
    Plant(
        "a change of data is carried out that an admin declined",
        f"{PACKAGE}/ingestion/data_requests.py",
        "WHERE r.outcome IS NULL AND v.is_accepted ORDER",
        "WHERE r.outcome IS NULL ORDER",
        "tests/ingestion/test_data_requests.py::test_only_what_an_admin_accepted_is_carried_out",
    ),
    Plant(
        "the hash of stored bytes is not looked at",
        f"{PACKAGE}/ingestion/bodies.py",
        "if found != sha256.hex():",
        "if not found:",
        "tests/ingestion/test_loader.py::test_corrupt_stored_body_is_refused_with_its_hash",
    ),
    Plant(
        "the as-of read leaves out what is known at that instant",
        f"{PACKAGE}/database/asof.py",
        "WHERE knowledge_time <= {known}",
        "WHERE knowledge_time < {known}",
        "tests/database/test_bulk.py::test_a_read_gives_nothing_that_was_not_known_yet",
    ),
    Plant(
        "the as-of read gives what was known only later",
        f"{PACKAGE}/database/asof.py",
        "WHERE knowledge_time <= {known}",
        "WHERE knowledge_time >= {known}",
        "tests/database/test_bulk.py::test_a_read_gives_nothing_that_was_not_known_yet",
    ),
    Plant(
        "what is not available becomes a number",
        f"{PACKAGE}/ingestion/blocks.py",
        "cells[name] = [None if isinstance(cell, str) and cell in markers",
        'cells[name] = ["1" if isinstance(cell, str) and cell in markers',
        "tests/ingestion/test_dirty.py::test_a_rate_that_is_not_available_is_no_record",
    ),
    Plant(
        "a model is trained on labels that were not known yet",
        f"{PACKAGE}/predictor/dataset.py",
        "block.label_known_at <= until",
        "block.decision_time <= until",
        "tests/predictor/test_dataset.py::test_training_set_is_every_label_known_at_the_cutoff_and_no_other",
    ),
    Plant(
        "a label is known a session too early",
        f"{PACKAGE}/predictor/labels.py",
        "greatest(row.decision_time, next_bar.knowledge_time) AS knowledge_time",
        "row.decision_time AS knowledge_time",
        "tests/predictor/test_labels.py::test_label_is_the_next_sessions_total_return_and_known_with_its_bar",
    ),
    Plant(
        "a market order is filled at the close of the bar",
        f"{PACKAGE}/engine/simulated_broker.py",
        "start = bar.open if math.isnan(order.entered) else order.entered",
        "start = bar.close if math.isnan(order.entered) else order.entered",
        "tests/strategy/test_orders.py::test_a_market_order_is_done_at_the_next_open",
    ),
    Plant(
        "a pass on paper leaves what a slow machine did not send to the next",
        f"{PACKAGE}/brokerage/sending.py",
        "if self._ends_at is None and self._venue.grace:",
        "if self._ends_at is None:",
        "tests/brokerage/test_order_programmes.py"
        "::test_22_a_pass_on_paper_sends_every_order_however_slow_the_machine_is",
    ),
    Plant(
        "what only reduces is filled although a part of it is left",
        f"{PACKAGE}/engine/explicit_orders.py",
        "self.end(order, CANCELLED, NOT_REDUCING)",
        "self.end(order, FILLED, ACCEPTED)",
        "tests/strategy/test_orders.py::test_what_reduces_never_turns_a_position",
    ),
    Plant(
        "an order's id is not a function of its cause",
        f"{PACKAGE}/market/order_terms.py",
        "self.decided_at, self.ordinal\n",
        'self.decided_at, __import__("time").time_ns()\n',
        "tests/brokerage/test_decisions.py::test_the_same_again_has_the_same_ids_and_another_wallet_others",
    ),
    Plant(
        "an order the venue does not show yet is sent again at once",
        f"{PACKAGE}/brokerage/settling.py",
        "self._age(known) < self._venue.grace:",
        "self._age(known) < timedelta(0):",
        "tests/brokerage/test_order_life.py::test_an_order_the_venue_does_not_show_yet_is_not_sent_a_second_time",
    ),
    Plant(
        "an order is over before its fills add up",
        f"{PACKAGE}/brokerage/settling.py",
        "lacks_fills = found.filled is not None and ",
        "lacks_fills = found.filled is None and ",
        "tests/brokerage/test_order_life.py::test_an_order_is_not_over_before_its_last_fill_is_told",
    ),
    Plant(
        "a grace counts from when an order was first sent",
        f"{PACKAGE}/brokerage/order_book.py",
        "SELECT max(e.recorded_at)",
        "SELECT min(e.recorded_at)",
        "tests/brokerage/test_sending.py::test_a_grace_counts_from_when_an_order_was_last_sent",
    ),
    Plant(
        "a venue's 429 in the middle of a batch stops nothing",
        f"{PACKAGE}/brokerage/sending.py",
        "return is_same and self._goes_on()",
        "return is_same",
        "tests/brokerage/test_sending.py::test_a_venue_that_takes_no_more_in_the_middle_holds_back_the_rest",
    ),
    Plant(
        "an order is sent without the lock that a halt waits for",
        f"{PACKAGE}/brokerage/halts.py",
        'connection.execute("SELECT pg_advisory_lock_shared(',
        'connection.execute("SELECT abs(',
        "tests/brokerage/test_halts.py::test_19_a_halt_returns_when_the_send_in_flight_has_ended_and_nothing_is_sent_after",
    ),
    Plant(
        "a wallet that only reduces sends what was planned before",
        f"{PACKAGE}/brokerage/sending.py",
        "return is_exit_now(self._connection, self._journal.wallet, order)",
        "return True",
        "tests/brokerage/test_halts.py::test_an_order_planned_before_a_halt_to_reducing_is_sent_only_if_it_is_an_exit",
    ),
    Plant(
        "an exit under way is asked for again",
        f"{PACKAGE}/brokerage/person_orders.py",
        " + under_way[key]",
        "",
        "tests/brokerage/test_person_orders.py::test_an_exit_that_is_under_way_is_not_asked_for_again",
    ),
    Plant(
        "an order at its limit is refused",
        f"{PACKAGE}/market/limits.py",
        "if order.units > limits.max_order_units * order.slack:",
        "if order.units >= limits.max_order_units * order.slack:",
        "tests/market/test_limits.py::test_20_a_limit_is_kept_to_the_unit",
    ),
    Plant(
        "the engine has another rule than the exact gate",
        f"{PACKAGE}/engine/gate.py",
        "order.rate = float(self.recent_orders(account.now) + 1)",
        "order.rate = float(self.recent_orders(account.now))",
        "tests/market/test_limits.py::test_20_both_gates_are_tried_with_every_code_of_the_table",
    ),
    Plant(
        "an unknown sale counts as sold",
        f"{PACKAGE}/market/books.py",
        "return order.is_for_target and order.intent_id not in self.unsettled",
        "return order.is_for_target",
        "tests/market/test_books.py::test_an_order_for_a_target_is_as_good_as_done_unless_nobody_knows_of_it",
    ),
    Plant(
        "sales under way do not count",
        f"{PACKAGE}/market/books.py",
        "total += order.signed",
        "total += ZERO",
        "tests/brokerage/test_limits.py::test_a_position_is_sold_once_however_often_it_is_asked_for",
    ),
    Plant(
        "the day's loss counts from the day's first price",
        f"{PACKAGE}/brokerage/equity_marks.py",
        "opening = self.day_equity if at.date() == self.day else self.equity",
        "opening = self.day_equity if at.date() == self.day else equity",
        "tests/brokerage/test_limits.py"
        "::test_20_losses_count_from_the_beginning_of_the_day_and_from_the_highest_equity",
    ),
    Plant(
        "a fill of nobody's is left out of what an account holds",
        f"{PACKAGE}/brokerage/reconciliation.py",
        "for one in (*self._new_external(), *(fill",
        "for one in (*[], *(fill",
        "tests/brokerage/test_reconcile.py::test_a_fill_of_nobodys_halts_and_adopted_it_is_in_the_wallets_books_once",
    ),
    Plant(
        "a finding halts its wallet's neighbours at other venues",
        f"{PACKAGE}/brokerage/reconcile.py",
        "            WHERE wallet = %s AND state IN ('active', 'reducing')",
        "            WHERE %s <> '' AND state IN ('active', 'reducing')",
        "tests/brokerage/test_reconcile.py::test_18_what_nobody_did_halts_the_wallets_of_that_account_and_no_other",
    ),
    Plant(
        "a wallet of which a finding stands is resumed",
        f"{PACKAGE}/brokerage/halts.py",
        "f.state = 'open' AND",
        "f.state = 'shut' AND",
        "tests/operations/test_reconciling.py::test_a_finding_is_shown_everywhere_and_holds_the_wallet_until_it_is_settled",
    ),
    Plant(
        "a halt that a page asked for counts only once it is carried out",
        f"{PACKAGE}/database/migrations/0059.live_requests.sql",
        "c.outcome IS NULL AND c.request_key IS NOT NULL AND c.kind IN ('halt', 'flatten')",
        "c.outcome IS NOT NULL AND c.request_key IS NOT NULL AND c.kind IN ('halt', 'flatten')",
        "tests/brokerage/test_pending_commands.py::test_a_halt_that_waits_lets_no_order_out",
    ),
    Plant(
        "a resume that waited ends a halt that was asked for after it",
        f"{PACKAGE}/brokerage/pending_commands.py",
        "command_id > %s ORDER BY",
        "command_id < %s ORDER BY",
        "tests/brokerage/test_pending_commands.py::test_an_old_wish_to_resume_ends_no_later_halt",
    ),
    Plant(
        "a choice of the day counts before it was made",
        f"{PACKAGE}/brokerage/asset_choices.py",
        "AND chosen_at <= %s ORDER BY",
        "AND chosen_at <> %s ORDER BY",
        "tests/brokerage/test_asset_choices.py::test_a_later_version_counts_from_its_time_on",
    ),
    Plant(
        "a live wallet trades whatever its venue says of it",
        f"{PACKAGE}/brokerage/reconcile.py",
        '        if wallet.mode == "live":\n',
        '        if wallet.mode == "lively":\n',
        "tests/operations/test_live_trading.py::test_a_live_wallet_waits_for_a_venue_that_does_not_answer",
    ),
    Plant(
        "what a venue says is stored with our keys in it",
        f"{PACKAGE}/brokerage/brokers/venue_errors.py",
        "None if message is None else masked_bytes(message)",
        "message",
        "tests/brokerage/test_canary_keys.py::test_an_error_of_a_broker_holds_no_key",
    ),
    Plant(
        "a ledger's mark moves past a fault",
        f"{PACKAGE}/brokerage/ledger_marks.py",
        "if last is not None and not faults and",
        "if last is not None and",
        "tests/brokerage/test_ledger_marks.py::test_28_tampering_with_new_lines_is_found_and_moves_no_mark",
    ),
    Plant(
        "a fee is paid to the wallet",
        f"{PACKAGE}/market/ledger_chain.py",
        "currency, -fill.fee),",
        "currency, fill.fee),",
        "tests/market/test_ledger_chain.py::test_a_line_covers_its_columns_and_the_hash_before_it",
    ),
    Plant(
        "a fee taken out of the coins bought leaves the position whole",
        f"{PACKAGE}/market/bars_and_fills.py",
        "return self.signed - self.fee if self.fee_in_units else self.signed",
        "return self.signed",
        "tests/market/test_books.py::test_a_fee_in_the_units_bought_makes_the_position_smaller_and_leaves_the_cash",
    ),
    Plant(
        "a currency without a rate is taken for one",
        f"{PACKAGE}/market/books.py",
        "EXACT.multiply(amount, rates[currency]) for currency, amount in cash.items() if currency in rates)",
        "EXACT.multiply(amount, rates.get(currency, EXACT.create_decimal(1))) for currency, amount in cash.items())",
        "tests/market/test_session_history.py::test_a_currency_without_a_rate_is_named_and_in_no_amount",
    ),
    Plant(
        "a line whose movement says another amount passes",
        f"{PACKAGE}/brokerage/ledger.py",
        "if found != (amount, currency):",
        "if found is None:",
        "tests/brokerage/test_transfers.py::test_28_an_edit_of_a_new_transfer_is_found_at_the_cost_of_what_is_new",
    ),
    Plant(
        "one side of a transfer is committed before the other",
        f"{PACKAGE}/brokerage/movements.py",
        "post_entries(connection, wallet.name, [entry], at=now)",
        "post_entries(connection, wallet.name, [entry], at=now), connection.commit()",
        "tests/brokerage/test_transfers.py::"
        "test_a_transfer_that_was_killed_is_in_both_wallets_or_in_none_and_done_once_again",
    ),
    Plant(
        "a split changes no fill that a strategy is told of",
        f"{PACKAGE}/market/split_arithmetic.py",
        "    if ratio == 1:",
        "    if ratio != 0:",
        "tests/brokerage/test_splits.py::test_the_curve_is_that_of_a_replay_over_the_bars_in_new_shares",
    ),
    Plant(
        "a fill at the opening of a split is taken for one from before",
        f"{PACKAGE}/market/split_arithmetic.py",
        "fill.filled_at < split.at)",
        "fill.filled_at <= split.at)",
        "tests/market/test_split_arithmetic.py::test_a_split_comes_before_a_fill_at_its_instant_and_after_a_late_one_from_before",
    ),
    Plant(
        "a fill of before a split is compared in the shares of its time",
        f"{PACKAGE}/brokerage/fill_parity.py",
        "return ratio_since(known, listing_id, at)",
        "return Fraction(1)",
        "tests/brokerage/test_fill_parity.py::"
        "test_fills_of_before_a_split_are_those_of_the_model_in_the_shares_of_after_it",
    ),
    Plant(
        "a strategy that shares a wallet trades from what the whole wallet holds",
        f"{PACKAGE}/market/risk.py",
        "quantity = _quantity(decision, listing, own or books)",
        "quantity = _quantity(decision, listing, books)",
        "tests/brokerage/test_sleeves.py::test_each_strategy_trades_as_it_does_in_a_wallet_of_its_own",
    ),
    Plant(
        "an order that only reduces sells what another strategy of the wallet holds",
        f"{PACKAGE}/market/risk.py",
        'if len(accounts) > 1 and order.side == "sell":',
        'if len(accounts) > 2 and order.side == "sell":',
        "tests/market/test_risk.py::test_an_exit_is_one_for_its_strategy_and_for_the_wallet",
    ),
    Plant(
        "what one strategy bought is the cost of what another sells",
        f"{PACKAGE}/brokerage/history.py",
        'holder = wallet.owner_of(strategy) if wallet.sleeves else ""',
        'holder = ""',
        "tests/brokerage/test_sleeves.py::test_profit_is_each_strategys_own",
    ),
    Plant(
        "a session is open at its close",
        f"{PACKAGE}/brokerage/open_hours.py",
        "time >= sessions[place - 1][1]",
        "time > sessions[place - 1][1]",
        "tests/brokerage/test_open_hours.py::test_a_session_is_open_from_its_opening_until_before_its_close",
    ),
    Plant(
        "a statement books a trade of an order of ours again",
        f"{PACKAGE}/brokerage/statement_identity.py",
        'return (*self.fill_ids, *(f"{name} {self.trade.trade_id}" for name in names))',
        "return self.fill_ids",
        "tests/brokerage/test_statements.py::test_a_trade_that_an_order_of_ours_made_is_not_booked_again",
    ),
    Plant(
        "the newest units are sold first",
        f"{PACKAGE}/market/cost_basis.py",
        "self.lots.append(lot)",
        "self.lots.appendleft(lot)",
        "tests/market/test_cost_basis.py::test_irs_publication_550_first_in_first_out",
    ),
    Plant(
        "a return is not cut where money flows",
        f"{PACKAGE}/market/account_returns.py",
        "self._base = before + flow",
        "self._base += flow",
        "tests/market/test_account_returns.py::test_time_weighted_is_blind_to_what_flowed",
    ),
    Plant(
        "what an owner has when a session begins counts as earned in it",
        f"{PACKAGE}/market/session_history.py",
        "before.get((listing_id, owner), ZERO)",
        "ZERO",
        "tests/market/test_session_history.py::test_a_session_goes_on_from_the_stored_state_of_the_one_before",
    ),
    Plant(
        "a wallet sees a bar at its opening",
        f"{PACKAGE}/brokerage/feed.py",
        'times_of(table, "knowledge_time"), times_of(table, "open_time"), prices',
        'times_of(table, "open_time"), times_of(table, "open_time"), prices',
        "tests/brokerage/test_no_lookahead_stored.py::"
        "test_2_poisoning_what_is_stored_changes_no_row_of_any_layer_up_to_that_time",
    ),
    Plant(
        "the last standing of a model counts from the beginning",
        f"{PACKAGE}/brokerage/model_trust.py",
        "place = bisect_right(times, time)",
        "place = len(times)",
        "tests/brokerage/test_no_lookahead.py::"
        "test_2_poisoning_after_200_times_and_every_decision_changes_nothing_that_a_wallet_did",
    ),
    Plant(
        "a correction counts from the day of the value that it corrects",
        f"{PACKAGE}/predictor/published_series.py",
        "FROM records.observation_versions",
        "FROM records.observations",
        "tests/predictor/test_published_series.py::test_correction_of_a_source_is_known_from_the_answer_that_shows_it",
    ),
    Plant(
        "a row that its body, parsed again, does not yield stays",
        f"{PACKAGE}/ingestion/precedence.py",
        "WHERE NOT EXISTS ({told})",
        "WHERE false",
        "tests/ingestion/test_loader.py::test_reparse_moves_rows_the_body_does_not_yield_to_the_revisions",
    ),
    Plant(
        "two listings of one hash have one id",
        f"{PACKAGE}/datamanager/listings.py",
        "        taken.add(id_)",
        "        taken.discard(id_)",
        "tests/datamanager/test_listings.py::test_fifty_thousand_listings_have_an_id_each_whatever_their_order",
        finding="B9",
    ),
    Plant(
        "what is filled becomes accepted again",
        f"{PACKAGE}/market/order_states.py",
        "S.FILLED: frozenset(),",
        "S.FILLED: frozenset({S.ACCEPTED}),",
        "tests/market/test_order_states.py::test_what_is_over_takes_late_fills_alone",
        finding="B11",
    ),
    Plant(
        "an unknown order asks for one run alone",
        f"{PACKAGE}/brokerage/waiting.py",
        "concat_ws(':', o.intent_id, o.state, o.sequence, a.attempts)",
        "o.intent_id::text",
        "tests/brokerage/test_order_life.py::test_an_unknown_order_asks_for_a_run_as_often_as_it_is_due",
        finding="B5",
    ),
    Plant(
        "compiled code takes two names of one list for two lists",
        f"{PACKAGE}/compiler/aliases.py",
        "            if first:",
        "            if first is OUTSIDE:",
        "tests/compiler/test_differences.py::test_what_would_differ_is_refused_with_file_line_and_reason",
        finding="B2",
    ),
    Plant(
        "an order of a strategy's own is traded at the market",
        f"{PACKAGE}/brokerage/decisions.py",
        "            made = self._with_request(made, asked)\n",
        "            self._with_request(made, asked)\n",
        "tests/brokerage/test_explicit_orders.py::test_22_paper_without_delay_does_what_replay_does",
        finding="B1",
    ),
    Plant(
        "versions of two batches have one time",
        f"{PACKAGE}/database/bulk.py",
        "max(now, newest + timedelta(microseconds=1))",
        "now",
        "tests/ingestion/test_history.py::test_sixty_versions_of_one_row_are_all_kept_in_any_batches",
        finding="B3",
    ),
    Plant(
        "a bar that comes after its month was cleaned waits for nothing",
        f"{PACKAGE}/database/stale.py",
        'WAITING = ("cleaned.session_bars", "cleaned.growth_factors", "cleaned.daily_bars", "features.daily")',
        'WAITING = ("features.daily",)',
        "tests/test_revisions.py::test_a_bar_that_came_late_waits_until_its_month_was_cleaned_and_seen_by_features",
        finding="B4",
    ),
    Plant(
        "a schedule asks for the current month alone",
        f"{PACKAGE}/defs/automation/schedules.py",
        "return bool(asked - current)",
        "return False",
        "tests/test_automation.py::test_a_schedule_asks_for_the_month_before_until_all_of_it_was_answered_after_it_ended",
        finding="B4",
    ),
    Plant(
        "a decision made anew on another trigger is a second one",
        f"{PACKAGE}/market/order_terms.py",
        "self.listing_id, self.decided_at, self.ordinal\n",
        "self.listing_id, self.decided_at, self.ordinal, self.trigger_id\n",
        "tests/market/test_order_terms.py::test_what_triggered_a_decision_and_what_it_says_are_not_in_its_id",
        finding="B6",
    ),
    Plant(
        "a decision's age counts from the close of its bar",
        f"{PACKAGE}/brokerage/due_decisions.py",
        "return max(self.decision.decided_at, min(self.recorded_at, latest))",
        "return min(self.decision.decided_at, latest)",
        "tests/brokerage/test_order_life.py::test_a_daily_wallet_trades_what_its_source_brings_in_the_evening",
        finding="B7",
    ),
    Plant(
        "a row that one body does not say any more is no other body's",
        f"{PACKAGE}/ingestion/precedence.py",
        "    claims = bodies.claims(cursor, kind, related, keys)\n",
        "    claims = bodies.claims(cursor, kind, [], keys)\n",
        "tests/ingestion/test_history.py::test_a_row_that_a_later_body_no_longer_yields_is_the_earlier_ones_again",
        finding="B8",
    ),
    Plant(
        "a wallet that is taken out of the file is not worked through",
        f"{PACKAGE}/brokerage/retirement.py",
        "return sorted(wallet for (wallet,) in rows)",
        "return sorted(wallet for (wallet,) in rows[:0])",
        "tests/brokerage/test_order_life.py::test_a_wallet_that_is_taken_out_of_the_file_is_retired",
        finding="B10",
    ),
)


def main(arguments: list[str]) -> int:
    """Plant them in turn; 0 when every test was green before and red after."""
    parser = argparse.ArgumentParser(prog="python -m tests.plants", description="Set planted bugs, expect red tests.")
    parser.add_argument("words", nargs="*", help="take the plants whose description has all of these words")
    parser.add_argument("--part", type=part_of, default=(1, 1), help="K/N: the K-th of N parts of them")
    chosen = parser.parse_args(arguments)
    number, parts = chosen.part
    plants = [plant for plant in PLANTS if all(word in plant.what for word in chosen.words)][number - 1 :: parts]
    if not plants:
        print(f"no plant is described with {' and '.join(chosen.words)}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="strades-plants-") as folder, server():
        copy = Path(folder) / "project"
        copy_project(copy)
        if run(copy, sorted({plant.test for plant in plants}), shows_failures=True):
            print("the tests are not green without a plant", file=sys.stderr)
            return 1
        unseen = [plant for plant in plants if not seen(copy, plant)]
    print(f"{len(plants) - len(unseen)} of {len(plants)} planted bugs were seen")
    return 1 if unseen else 0


def part_of(text: str) -> tuple[int, int]:
    """K and N of "K/N".

    Raises:
        ValueError: it is none of 1/N to N/N.
    """
    number, parts = (int(figure) for figure in text.split("/"))
    if not 1 <= number <= parts:
        raise ValueError(f"expected 1/N to N/N, was {text}")
    return number, parts


def seen(copy: Path, plant: Plant) -> bool:
    """Whether the plant's test turns red; says so, and after how many seconds."""
    file = copy / plant.file
    clean = file.read_text()
    if clean.count(plant.old) != 1:
        print(f"lost   {plant.what}: {plant.file} has its line {clean.count(plant.old)} times", flush=True)
        return False
    began = time.monotonic()
    file.write_text(clean.replace(plant.old, plant.new))
    is_migration = "migrations" in file.parts
    if is_migration:
        drop_template()
    try:
        red = run(copy, [plant.test]) == FAILED
    finally:
        file.write_text(clean)
        if is_migration:
            drop_template()
    seconds = time.monotonic() - began
    print(f"{'red   ' if red else 'UNSEEN'} {plant.what}: {plant.test} ({seconds:.0f} s)", flush=True)
    return red


def drop_template() -> None:
    """Have the next test migrate a database anew: all tests of a server clone one that was migrated once."""
    with psycopg.connect(os.environ["STRADES_TEST_SERVER"], autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS template_strades WITH (FORCE)")


def copy_project(target: Path) -> None:
    """The files of the project that git knows, without their history."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(PROJECT / name, target / name)


def run(copy: Path, tests: list[str], *, shows_failures: bool = False) -> int:
    """Pytest's exit code; the modules are those of the copy, since it is the working directory.

    Args:
        shows_failures: go on after a failure, and print the name of each.
    """
    options = ["-q", "--no-header", "--tb=no", *(["-rfE"] if shows_failures else ["-x"])]
    command = [sys.executable, "-m", "pytest", "-n", "0", *options, *tests]
    # Real data lies beside the project, not beside its copy; a test that is skipped sees nothing.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "STRADES_SHARED": str(SHARED)}
    output = None if shows_failures else subprocess.DEVNULL
    return subprocess.run(command, cwd=copy, env=environment, stdout=output, check=False).returncode


@contextmanager
def server() -> Iterator[None]:
    """One database server for all runs."""
    with tempfile.TemporaryDirectory(prefix="strades-test-") as folder:
        Path(folder).chmod(0o755)
        made = EmbeddedServer(Path(folder), FAST)
        os.environ |= {"STRADES_TEST_SERVER": made.start(), "STRADES_TEST_FOLDER": folder}
        try:
            yield
        finally:
            made.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
