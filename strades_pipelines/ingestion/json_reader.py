"""JSON bodies: rows as arrays, as objects, as parallel columns, as members of an object, or nested below several."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from strades_pipelines.datamanager.json_pointer import ABSENT, resolve
from strades_pipelines.datamanager.protocol import Output, Read
from strades_pipelines.datamanager.strict_json import JsonError, loads
from strades_pipelines.ingestion.blocks import Block
from strades_pipelines.ingestion.verdicts import BodyRefused, one_line, refuse_bad_rows

LONGEST_MEMBER = 200


class JsonReader:
    """A JSON body, decoded."""

    def __init__(self, read: Read, body: bytes) -> None:
        try:
            self.root = loads(body)
        except JsonError as error:
            raise BodyRefused(str(error)) from None
        for pointer in read.errors:
            found = self.scalar(pointer)
            if found:
                siblings = self.root if isinstance(self.root, dict) and len(pointer.split("/")) == 2 else found
                raise BodyRefused(f"expected data, was the provider's error {raw_text(siblings)}")

    def scalar(self, pointer: str) -> object:
        """The value at a JSON pointer, or None."""
        found = resolve(self.root, pointer)
        return None if found is ABSENT else found

    def block(self, output: Output) -> Block:
        """The rows of an output, cut into columns."""
        rows = None if output.layout == "nested" else resolve(self.root, output.rows)
        if rows is ABSENT and output.rows.endswith("/*") and resolve(self.root, output.rows[:-2]) == {}:
            rows = []  # an object of arrays by symbol that has none
        if output.layout == "nested":
            return _nested(output, self.root)
        if output.layout == "columns":
            return _columns(output, rows)
        if output.layout == "members":
            return _members(output, rows)
        if output.layout == "object":
            return _objects(output, [rows])
        if not isinstance(rows, list):
            raise BodyRefused(f"expected an array of rows at {output.rows or 'the root'}, was {_kind(rows)}")
        # As texts: a provider may write the count as one.
        if output.count is not None and str(stated := self.scalar(output.count)) != str(len(rows)):
            raise BodyRefused(f"expected {stated} rows, as {output.count} says, was {len(rows)}")
        return _arrays(output, rows) if output.layout == "arrays" else _objects(output, rows)


def raw_text(value: object) -> str:
    """A value as one line of JSON, cut at 500 characters."""
    # A value may be nested deeper than `json.dumps` goes.
    try:
        return one_line(json.dumps(value, ensure_ascii=True, separators=(",", ":")), 500)
    except RecursionError:
        return "a deeply nested value"


def _arrays(output: Output, rows: list[Any]) -> Block:
    broken = {}
    if set(map(type, rows)) - {list} or min(map(len, rows), default=output.least_columns) < output.least_columns:
        fit = [isinstance(row, list) and len(row) >= output.least_columns for row in rows]
        if not any(fit):
            raise BodyRefused(f"expected rows of at least {output.least_columns} values, was {raw_text(rows[0])}")
        refuse_bad_rows(fit.count(False), len(rows))
        broken = {i: "too_few_columns" for i, good in enumerate(fit) if not good}
    fields = {name: int(field.at) for name, field in output.fields.items()}
    whole = [[] if i in broken else row for i, row in enumerate(rows)] if broken else rows
    # Rows of one length, the usual case, are cut without asking each row for its length.
    shortest = min(map(len, whole), default=0)
    cells = {
        name: [row[at] for row in whole] if at < shortest else [row[at] if at < len(row) else None for row in whole]
        for name, at in fields.items()
    }
    return _block(output, cells, rows, broken)


def _objects(output: Output, rows: list[Any]) -> Block:
    broken = {}
    whole = rows
    if set(map(type, rows)) - {dict}:
        broken = {i: "not_an_object" for i, row in enumerate(rows) if not isinstance(row, dict)}
        if len(broken) == len(rows):
            raise BodyRefused(f"expected rows that are objects, was {raw_text(rows[0])}")
        refuse_bad_rows(len(broken), len(rows))
        whole = [{} if i in broken else row for i, row in enumerate(rows)]
    needed = [str(field.at) for field in output.fields.values() if not field.optional]
    if whole and not any(all(_has(row, at) for at in needed) for row in whole):
        raise BodyRefused(f"expected rows with {', '.join(map(str, needed))}, was {raw_text(rows[0])}")
    cells = {name: [cell_of(row, str(field.at)) for row in whole] for name, field in output.fields.items()}
    return _block(output, cells, rows, broken)


def cell_of(row: Mapping[str, Any], at: str) -> object:
    """The value of a row at a key, or at a JSON pointer; None where nothing stands there."""
    if not at.startswith("/"):
        return row.get(at)
    return None if (found := resolve(row, at)) is ABSENT else found


def _has(row: Mapping[str, Any], at: str) -> bool:
    return resolve(row, at) is not ABSENT if at.startswith("/") else at in row


def _members(output: Output, rows: Any) -> Block:
    """An object of objects; absent or null is no rows, as a body without events has it."""
    if rows is ABSENT or rows is None:
        rows = {}
    if not isinstance(rows, dict):
        raise BodyRefused(f"expected an object at {output.rows}, was {_kind(rows)}")
    return (
        _objects(output, list(rows.values())) if rows else _block(output, {name: [] for name in output.fields}, [], {})
    )


def _nested(output: Output, root: Any) -> Block:
    """The objects of all arrays that `rows` leads to; each has the members by which it was reached, by their names.

    Raises:
        BodyRefused: an object or array is not where the pointer says.
    """
    rows: list[Any] = []
    wheres: list[str] = []
    for members, where, array in _arrays_below(output, root, output.rows.split("/")[1:], "", {}):
        rows += [{**row, **members} if isinstance(row, dict) else row for row in array]
        wheres += [f"{where}/{i}" for i in range(len(array))]
    if not rows:
        return _block(output, {name: [] for name in output.fields}, [], {})
    return replace(_objects(output, rows), where=wheres.__getitem__)


def _arrays_below(
    output: Output, node: Any, parts: Sequence[str], where: str, members: Mapping[str, str]
) -> Iterator[tuple[Mapping[str, str], str, list[Any]]]:
    """Each array below `node`, with the members that its asterisks stand for and its JSON pointer."""
    if not parts:
        if not isinstance(node, list):
            raise BodyRefused(f"expected an array of rows at {where}, was {_kind(node)}")
        yield members, where, node
        return
    if not isinstance(node, dict):
        raise BodyRefused(f"expected an object at {where or 'the root'}, was {_kind(node)}")
    part, *others = parts
    if part != "*":
        yield from _arrays_below(output, node.get(part, ABSENT), others, f"{where}/{part}", members)
        return
    name = output.keys[len(members)]
    chosen = (output.choose or {}).get(name)
    for member, below in node.items():
        if chosen is None or member in chosen:
            if len(member) > LONGEST_MEMBER:  # it is written into each of its rows
                raise BodyRefused(
                    f"expected a name of at most {LONGEST_MEMBER} letters at {where}, was {member[:40]}..."
                )
            yield from _arrays_below(output, below, others, f"{where}/{member}", {**members, name: member})


def _columns(output: Output, root: Any) -> Block:
    if not isinstance(root, dict):
        raise BodyRefused(f"expected an object at {output.rows or 'the root'}, was {_kind(root)}")
    found = {name: resolve(root, str(field.at)) for name, field in output.fields.items()}
    cells: dict[str, Sequence[object]] = {}
    for name, column in found.items():
        if column is not ABSENT and column is not None and not isinstance(column, list):
            raise BodyRefused(f"expected an array at {output.rows}{output.fields[name].at}, was {_kind(column)}")
        cells[name] = column if isinstance(column, list) else []
    lengths = {name: len(column) for name, column in cells.items()}
    count = max(lengths.values())
    for name, field in output.fields.items():
        if field.optional and not lengths[name]:
            cells[name] = [None] * count
        elif lengths[name] != count:
            shown = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise BodyRefused(f"expected columns of one length, was {shown}")
    rows = list(zip(*cells.values(), strict=True))
    return _block(output, cells, rows, {})


def _block(output: Output, cells: dict[str, Any], rows: Sequence[Any], broken: dict[int, str]) -> Block:
    where = (
        output.rows + "/" if output.layout != "columns" else f"{output.rows}{next(iter(output.fields.values())).at}/"
    )
    return Block(len(rows), cells, lambda i: f"{where}{i}", lambda i: raw_text(rows[i]), broken)


def _kind(value: object) -> str:
    if value is ABSENT:
        return "missing"
    names: Iterable[tuple[type, str]] = ((dict, "an object"), (list, "an array"), (str, "a text"), (bool, "a boolean"))
    return next((name for kind, name in names if isinstance(value, kind)), "null" if value is None else "a number")
