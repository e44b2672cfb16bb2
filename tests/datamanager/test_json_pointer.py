"""Places in a JSON document: the examples of RFC 6901, section 5, and two words of our own."""

import pytest

from strades_pipelines.datamanager.json_pointer import ABSENT, resolve

RFC = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, 'k"l': 6, " ": 7, "m~n": 8}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", RFC),
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/e^f", 3),
        ("/g|h", 4),
        ("/i\\j", 5),
        ('/k"l', 6),
        ("/ ", 7),
        ("/m~0n", 8),
        ("/foo/-1", "baz"),
        ("/*/1", "baz"),
        ("/foo/2", ABSENT),
        ("/nowhere/0", ABSENT),
    ],
)
def test_a_pointer_leads_to_its_value(pointer: str, value: object) -> None:
    assert resolve(RFC, pointer) == value


@pytest.mark.parametrize("root", [{"a": [1], "b": [2]}, {"a": 1}, [], "text", None])
def test_what_is_not_there_or_not_alone_is_absent(root: object) -> None:
    assert resolve(root, "/*") is ABSENT
    assert resolve(root, "/-1") is ABSENT
