"""French is complete: every text of templates and code has a translation, and none is left over."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.pofile import read_po
from django.test import Client
from django.utils.translation.template import templatize

import dashboard
from dashboard.prepare import compile_translations
from tests.dashboard.conftest import ClientOf

HERE = Path(dashboard.__file__).parent
CATALOGUE = HERE / "locale" / "fr" / "LC_MESSAGES" / "django.po"
KEYWORDS = {**DEFAULT_KEYWORDS, "gettext_lazy": None, "gettext_noop": None}


def texts() -> Iterator[str]:
    """What is marked for translation, in code and templates."""
    for path in sorted(HERE.rglob("*.py")):
        yield from _found(path.read_bytes())
    for path in sorted(HERE.rglob("*.html")):
        yield from _found(templatize(path.read_text(), origin=str(path)).encode())


def _found(source: bytes) -> Iterator[str]:
    for _line, found, _comments, _context in extract("python", BytesIO(source), keywords=KEYWORDS):
        yield found if isinstance(found, str) else found[0]


@pytest.fixture(scope="module")
def french() -> Catalog:
    """The catalogue as it is read at the start."""
    with CATALOGUE.open("rb") as text:
        return read_po(text, locale="fr")


def test_every_text_has_a_translation_and_no_translation_is_left_over(french: Catalog) -> None:
    known = {message.id[0] if isinstance(message.id, tuple) else message.id for message in french if message.id}
    assert known == set(texts())


def test_no_translation_is_empty_or_a_guess(french: Catalog) -> None:
    for message in french:
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        assert all(strings), message.id
        assert not message.fuzzy or not message.id, message.id
        assert isinstance(message.id, str) or len(strings) == 2, message.id


def test_a_translation_has_the_same_places_for_figures(french: Catalog) -> None:
    assert [str(error) for _message, errors in french.check() for error in errors] == []


def test_pages_are_in_french_by_choice_and_by_the_browsers_wish(client_of: ClientOf) -> None:
    client = client_of("viewer", "ada")
    assert '<html lang="en"' in client.get("/").content.decode()
    answer = client.post("/preferences/", {"language": "fr", "next": "/states/"})
    assert answer["Location"] == "/states/"
    page = client.get("/").content.decode()
    assert '<html lang="fr"' in page
    assert "Mes données sont-elles à jour ?" in page
    assert "0 portefeuille" not in page or "0 portefeuilles" not in page
    other = Client(SERVER_NAME="127.0.0.1", headers={"accept-language": "fr-CA"})
    assert "Se connecter" in other.get("/account/sign-in/").content.decode()


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", ""])
def test_a_choice_leads_back_to_a_page_of_ours_alone(target: str, client_of: ClientOf) -> None:
    answer = client_of("viewer").post("/preferences/", {"theme": "dark", "next": target})
    assert answer["Location"] == "/"
    assert answer.cookies["strades_theme"].value == "dark"


def test_catalogues_are_compiled_where_they_are_read(tmp_path: Path) -> None:
    compile_translations(HERE / "locale", tmp_path)
    assert (tmp_path / "fr" / "LC_MESSAGES" / "django.mo").read_bytes()[:4] == b"\xde\x12\x04\x95"
