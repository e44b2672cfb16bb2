"""JSON is read by its own rules, by the fast reader as by the slow one."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.datamanager.strict_json import JsonError, loads

BLANKS = st.sampled_from(["", " ", "\n", "\t "])
SCALARS = st.sampled_from(
    [
        *("0", "-0", "7", "-12", "9007199254740993", "18446744073709551615", "18446744073709551616", "1" * 400),
        *("0.1", "67000.10", "-0.0", "1e5", "1E-7", "1e400", "0.1234567890123456789012345", "1.7976931348623157e308"),
        *('""', '"a"', '"é"', '"\\u0041"', '"\\ud800"', '"\\"b\\":"', '"b\\\\"', '"{\\"a\\":1}"', '"NaN"'),
        *("true", "false", "null", "NaN", "Infinity", "-Infinity", "01", "+1", ".5", "nul", "'a'", '"\n"'),
    ]
)
KEYS = st.sampled_from(['"a"', '"b"', '"\\u0061"', '"a:"', '"é"', '""'])


@st.composite
def _texts(draw: st.DrawFn) -> str:
    """JSON, and what only looks like it."""
    text = draw(st.recursive(SCALARS, lambda below: st.one_of(_array(below), _object(below)), max_leaves=12))
    return draw(BLANKS) + text + draw(BLANKS)


def _array(below: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(BLANKS, st.lists(below, max_size=4)).map(lambda made: "[" + f",{made[0]}".join(made[1]) + "]")


def _object(below: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.lists(st.tuples(KEYS, below), max_size=4)
    return st.tuples(BLANKS, pairs).map(
        lambda made: "{" + ",".join(f"{key}{made[0]}:{made[0]}{value}" for key, value in made[1]) + "}"
    )


def by_the_rules(text: str) -> Any:
    """What Python's reader makes of a text, with a ValueError for what RFC 8259 does not have."""

    def refuse(word: str) -> None:
        raise ValueError(word)

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in items}) < len(items):
            raise ValueError("a key twice")
        return dict(items)

    return json.loads(text, object_pairs_hook=pairs, parse_constant=refuse)


@given(_texts())
def test_a_text_is_read_as_pythons_reader_reads_it_or_refused_by_both(text: str) -> None:
    try:
        expected = repr(by_the_rules(text))
    except ValueError:
        with pytest.raises(JsonError):
            loads(text.encode())
    else:
        assert repr(loads(text.encode())) == expected  # repr: 1 is not 1.0, 0.0 is not -0.0


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":2}',
        '[{"b":{"a":1, "a" :1}}]',
        '{"a":"x","\\u0061":"y"}',
        '{"a":1,"a":"\\u0022\\u0022"}',
        '{"":1,"":1}',
    ],
)
def test_a_key_that_is_there_twice_is_refused_whatever_its_values_say(text: str) -> None:
    with pytest.raises(JsonError, match="expected each key once"):
        loads(text.encode())


def test_what_the_fast_reader_cannot_hold_is_read_by_the_other_one() -> None:
    assert loads(b"\xef\xbb\xbf[1]") == [1]
    assert loads(b"[" * 300 + b"]" * 300)
    assert loads(b'{"id":123456789012345678901234567890}') == {"id": 123456789012345678901234567890}
    with pytest.raises(JsonError, match="byte 0xff at 1"):
        loads(b"[\xff]")
    with pytest.raises(JsonError, match="nested beyond"):
        loads(b"[" * 100_000 + b"]" * 100_000)
