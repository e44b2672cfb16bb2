"""The page that says who sees a wallet: the owner's form, and that it is about each replay of a template."""

import re
from typing import Any

import psycopg
from django.db import connections

from dashboard.community.wallets import give_wallet, owner_of
from dashboard.gateway.viewer import set_viewer
from tests.dashboard.community.people import make_contacts, person
from tests.dashboard.conftest import ClientOf

Connection = psycopg.Connection[Any]


def add_replay(connection: Connection, name: str) -> None:
    """A replay of the template `paper`, as a later run of the same question makes it."""
    columns = "SELECT attname FROM pg_attribute WHERE attrelid = 'trading.wallets'::regclass AND attnum > 0"
    columns += " AND NOT attisdropped AND attgenerated = '' AND attidentity = ''"
    end = "opened_at + interval '1 day'"
    other = {"wallet": f"'{name}'", "mode": "'replay'", "broker": "'replay'", "window_end": end, "as_of": end}
    names = [column for (column,) in connection.execute(columns).fetchall()]
    values = ", ".join(other.get(column, column) for column in names)
    connection.execute(
        f"INSERT INTO trading.wallets ({', '.join(names)}) SELECT {values} FROM trading.wallets WHERE wallet = 'paper'"
    )
    connection.commit()


def test_every_replay_of_a_template_has_its_owner(traded: Connection, client_of: ClientOf) -> None:
    browsers = {name: client_of(role, name) for name, role in (("ada", "trader"), ("bob", "viewer"), ("eve", "admin"))}
    first, second = "paper@aaaaaaaaaaaa", "paper@bbbbbbbbbbbb"

    def seen_by(name: str) -> list[str]:
        set_viewer(person(name).pk)
        with connections["layers"].cursor() as cursor:
            cursor.execute("SELECT wallet FROM trading.wallets WHERE mode = 'replay' ORDER BY 1")
            return [wallet for (wallet,) in cursor.fetchall()]

    add_replay(traded, first)
    assert seen_by("bob") == [first]
    browsers["eve"].post(f"/wallets/{first}/sharing/", {"act": "give", "to": f"person:{person('ada').pk}"})
    owner = owner_of(first)
    assert owner is not None
    assert (owner.wallet, owner_of("paper")) == ("paper", owner)
    add_replay(traded, second)
    assert (seen_by("bob"), seen_by("ada"), seen_by("eve")) == ([], [first, second], [first, second])
    assert browsers["bob"].get(f"/wallets/{second}/").status_code == 404
    assert (
        "each replay of paper has the same owner" in browsers["ada"].get(f"/wallets/{second}/sharing/").content.decode()
    )
    with connections["layers"].cursor() as cursor:
        set_viewer(person("bob").pk)
        cursor.execute("SELECT trading.may_operate(%s)", [second])
        assert cursor.fetchone() == (False,)


def test_the_form_shares_and_ends_it(traded: Connection, client_of: ClientOf) -> None:
    owned = {name: client_of(role, name) for name, role in (("ada", "trader"), ("bob", "trader"), ("eve", "admin"))}
    give_wallet(person("eve"), "paper", to=person("ada"))
    make_contacts(person("ada"), person("bob"))
    path, bob = "/wallets/paper/sharing/", person("bob")
    owned["ada"].post(path, {"act": "share", "to": f"person:{bob.pk}", "level": "view"})
    page = owned["ada"].get(path).content.decode()
    [number] = re.findall(r'name="share" value="(\d+)"', page)
    assert owned["bob"].get("/wallets/paper/").status_code == 200
    assert 'name="share"' not in owned["bob"].get(path).content.decode()
    owned["bob"].post(path, {"act": "give", "to": f"person:{bob.pk}"})
    owned["ada"].post(path, {"act": "share", "to": "person:999999", "level": "view"})
    owner = owner_of("paper")
    assert owner is not None
    assert [row.person for row in owner.shares.all()] == [bob]
    owned["ada"].post(path, {"act": "unshare", "share": number})
    assert owned["bob"].get("/wallets/paper/").status_code == 404
    owned["eve"].post(path, {"act": "give", "to": f"person:{bob.pk}"})
    assert owned["bob"].get("/wallets/paper/").status_code == 200
    assert owned["ada"].get("/wallets/paper/").status_code == 404
