"""`strades run` as a user runs it, over a month, two stocks and a pair, with the sandbox's clock held."""

import json
from collections.abc import Iterator

import pytest

from tests.end_to_end.installation import HALF_PAST, LONG, Installation, installation

pytestmark = pytest.mark.slow
LAYERS = {"rawsources", "records", "cleaned", "marts", "features", "predictions", "signals", "trading", "results"}


@pytest.fixture(scope="module")
def ran() -> Iterator[Installation]:
    """An installation after its first run."""
    with installation(without=LONG, parsed=False) as made:
        document = made.run()
        (made.home / "first.json").write_text(json.dumps(document))
        yield made


def test_every_layer_has_rows_and_a_time(ran: Installation) -> None:
    document = json.loads((ran.home / "first.json").read_text())
    assert document["failures"] == []
    assert set(document["rows"]) == LAYERS
    assert all(document["rows"].values()), document["rows"]
    assert document["fills"] > 0
    assert document["world"] == "sandbox"
    assert document["window"] == {"from": "2013-02-01", "to": "2013-03-01"}


def test_the_report_can_be_asked_for_again(ran: Installation) -> None:
    first = json.loads((ran.home / "first.json").read_text())
    again = json.loads(ran.strades("report", "--json").stdout)
    assert again["rows"] == first["rows"]
    assert "buy & hold" in ran.strades("report").stdout


def test_the_same_run_again_changes_no_table(ran: Installation) -> None:
    before = ran.hashes()
    ran.run()
    assert ran.hashes() == before


def test_every_fill_traces_and_every_body_parses_to_its_rows(ran: Installation) -> None:
    done = ran.strades("trace", "--all", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["faults"]) == (0, [])
    assert document["fills"] > 0
    assert document["bodies"] > 10


def test_one_fill_traces_to_a_url_and_a_hash(ran: Installation) -> None:
    with ran.connect() as connection:
        row = connection.execute(
            "SELECT fill_id, intent_id, decision_id FROM trading.fills JOIN trading.intents USING (intent_id)"
        ).fetchone()
    assert row is not None
    for identity in row:
        document = json.loads(ran.strades("trace", identity, "--json").stdout)
        assert document["decision"]["reason"]
        assert {fetch["url"].split("/")[2] for fetch in document["fetches"]} == {"query1.finance.yahoo.com"}
        assert all(len(fetch["sha256"]) == 64 and fetch["rows"] > 0 for fetch in document["fetches"])


def test_an_unknown_id_is_one_line_and_exit_code_2(ran: Installation) -> None:
    done = ran.strades("trace", "NOBODY")
    assert done.returncode == 2
    assert done.stderr.startswith("strades: expected the id of a fill")
    assert done.stderr.count("\n") == 1


def test_a_flipped_byte_in_a_stored_body_is_found_and_named(ran: Installation) -> None:
    flip = """
        UPDATE rawsources.bodies SET body = set_byte(body, mod(size, 97)::int, get_byte(body, mod(size, 97)::int) # 1)
        WHERE sha256 = %s
    """
    with ran.connect() as connection:
        row = connection.execute(
            """
            SELECT l.fill_id, f.sha256, encode(f.sha256, 'hex')
            FROM trading.fills AS l
            JOIN records.candles AS c
                ON (c.listing_id, c."interval", c.open_time) = (l.listing_id, l.bar_interval, l.bar_open_time)
            JOIN rawsources.fetches AS f USING (fetch_id)
            """
        ).fetchone()
        assert row is not None
        connection.execute(flip, [row[1]])
    try:
        for arguments in (("trace", row[0]), ("trace", "--all")):
            done = ran.strades(*arguments)
            assert done.returncode == 1
            assert row[2] in done.stderr
    finally:
        with ran.connect() as connection:
            connection.execute(flip, [row[1]])
    assert ran.strades("trace", row[0]).returncode == 0


def test_a_later_run_adds_only_what_is_new(ran: Installation) -> None:
    counted = "SELECT count(*), count(*) FILTER (WHERE recorded_at > '2013-02-20T12:00:00Z') FROM records.candles"
    with ran.connect() as connection:
        (before, _) = connection.execute(counted).fetchone() or (0, 0)
    old = ran.hashes()
    ran.run(now=HALF_PAST)
    with ran.connect() as connection:
        (after, new) = connection.execute(counted).fetchone() or (0, 0)
    assert after - before == new == 30
    changed = {table for table, value in ran.hashes().items() if value != old[table]}
    assert {"records.candles", "records.trades", "rawsources.bodies"} <= changed
    assert not changed & {"cleaned.daily_bars", "features.daily", "predictions.models", "records.observations"}
