"""States and modes that are stored in English have a word in the person's language."""

import re
from decimal import Decimal

import psycopg
from django.utils import translation

from dashboard.core.words import WORDS, word_of
from strades_pipelines.market.order_states import OrderState
from strades_pipelines.market.order_terms import OrderTerms
from strades_pipelines.settings import PROJECT
from tests.dashboard.conftest import ClientOf


def test_every_state_of_an_order_has_a_word_and_what_has_none_stays(site: str) -> None:
    assert {state.value for state in OrderState} <= WORDS
    with translation.override("fr"):
        assert (word_of("filled"), word_of("halted"), word_of("sma_cross")) == ("exécuté", "arrêté", "sma_cross")
    assert word_of("filled") == "filled"


def test_every_cause_of_a_gap_has_a_word(site: str) -> None:
    query = (PROJECT / "dbt_project" / "models" / "cleaned" / "gaps.sql").read_text()
    causes = set(re.findall(r"^ +\('(\w+)', \(?told\.", query, re.MULTILINE))
    assert {"no_trades", "fetch_failed", "excluded"} <= causes <= WORDS
    assert word_of("no_trades") == "no trades"
    with translation.override("fr"):
        assert word_of("no_trades") == "aucune transaction"


def test_every_type_of_an_order_has_a_word(site: str, traded: psycopg.Connection, client_of: ClientOf) -> None:
    one = Decimal(1)
    terms = (OrderTerms(), OrderTerms(limit=one), OrderTerms(stop=one), OrderTerms(limit=one, stop=one))
    types = [term.order_type for term in (*terms, OrderTerms(trail=one))]
    with translation.override("fr"):
        words = [word_of(kind) for kind in types]
    assert words == ["marché", "limite", "seuil", "seuil et limite", "seuil suiveur"]
    assert [word_of(kind) for kind in types] == ["market", "limit", "stop", "stop limit", "trailing stop"]
    client = client_of("viewer")
    for language, text in (("en", "market · GTC"), ("fr", "marché · GTC")):
        assert text in client.get("/wallets/paper/", headers={"accept-language": language}).content.decode()
