"""A JSON file of ours, checked against its published schema; what is wrong is one line with the path of the key."""

import json
import re
from collections.abc import Iterable
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, cast

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import best_match

from strades_pipelines.datamanager.strict_json import Invalid, JsonError, loads, loads_with_faults, walk
from strades_pipelines.system.regular_files import read_regular

SCHEMAS = Path(__file__).parent / "schemas"
MAX_BYTES = 1_000_000
ROOT = "the document"  # where a fault has no key above it
USER_INFO = re.compile(r"//[^/@\s]{1,500}@")


class CheckError(ValueError):
    """`path: expected X, was Y`, one line; the caller puts the file's name in front."""


def read_checked(path: Path, schema: str, *, most_bytes: int = MAX_BYTES) -> Any:
    """The document of a JSON file; numbers with a point are Decimal.

    Args:
        schema: the name of a file in `schemas/`, without `.schema.json`.
        most_bytes: a larger file is refused.

    Raises:
        CheckError: missing, too large, not JSON, not as the schema says.
    """
    body = _read(path, most_bytes)
    _check_body(body, schema)
    return loads(body, parse_float=Decimal)


def read_entries(path: Path, key: str) -> list[Any]:
    """The list that is all of a JSON file, `{key: [...]}`; each entry is still to be checked, for itself.

    Raises:
        CheckError: missing, too large, not JSON, or of another shape.
    """
    try:
        document = loads_with_faults(_read(path), parse_float=Decimal)
    except JsonError as error:
        raise CheckError(str(error)) from None
    if isinstance(document, Invalid):
        raise CheckError(str(document.error_at(None)))
    if not (isinstance(document, dict) and set(document) == {key} and isinstance(document[key], list)):
        raise CheckError(f"expected an object with one key, {key!r}, and a list behind it, was {excerpt(document)}")
    entries: list[Any] = document[key]
    return entries


def _read(path: Path, most_bytes: int = MAX_BYTES) -> bytes:
    try:
        return read_regular(path, most_bytes=most_bytes)
    except OSError as error:
        raise CheckError(f"expected a readable file of at most {most_bytes} bytes, was {error.strerror}") from None


@lru_cache(maxsize=64)
def _check_body(body: bytes, schema: str) -> None:
    """Refuse a file's content; once for the same content, since a run reads the list of sources many times."""
    try:
        document = loads(body, parse_float=Decimal)
    except JsonError as error:
        raise CheckError(str(error)) from None
    check(document, schema)


def check(document: Any, schema: str) -> None:
    """Refuse a document that is not as its schema says, or that holds text no table could hold.

    Raises:
        CheckError: with the path of the first bad key.
    """
    try:
        nodes = list(walk(document))
    except JsonError as error:
        raise CheckError(str(error)) from None
    for path, node in nodes:
        if isinstance(node, Invalid):
            raise CheckError(str(node.error_at(path)))
        names = [node] if isinstance(node, str) else node if isinstance(node, dict) else []
        for name in names:
            if not name.isprintable():
                raise CheckError(f"{path or ROOT}: expected printable text, was {excerpt(name)}")
    fault = best_match(_validator(schema).iter_errors(document))
    if fault is not None:
        raise CheckError(_line(fault))


def excerpt(value: object) -> str:
    """A value for a one-line message: JSON, at most 60 characters."""
    # A message may be logged: no user and password of an address in it.
    text = USER_INFO.sub("//***@", json.dumps(value, default=str, ensure_ascii=True))
    return text if len(text) <= 60 else text[:57] + "..."


def path_of(keys: Iterable[str | int]) -> str:
    """`websites[0].schedule` from its keys."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return text.lstrip(".") or ROOT


@cache
def _validator(schema: str) -> Draft202012Validator:
    loaded = json.loads((SCHEMAS / f"{schema}.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(loaded)
    return Draft202012Validator(loaded)


def _line(error: ValidationError) -> str:
    where = path_of(error.absolute_path)
    wanted, schema, found = cast(Any, error.validator_value), cast(Any, error.schema), cast(Any, error.instance)
    match error.validator:
        case "required":
            missing = next(name for name in wanted if name not in found)
            return f"{where}: expected the key {missing!r}, was missing"
        case "additionalProperties":
            known = set(schema.get("properties", {}))
            extra = next(name for name in found if name not in known)
            return f"{where}: expected no key {excerpt(extra)}, was there; remove it or correct its name"
        case "enum" | "const":
            allowed = ", ".join(map(excerpt, wanted)) if isinstance(wanted, list) else excerpt(wanted)
            return f"{where}: expected one of {allowed}, was {excerpt(found)}"
        case "type":
            names = " or ".join(wanted) if isinstance(wanted, list) else wanted
            return f"{where}: expected {names}, was {excerpt(found)}"
        case "pattern":
            what = schema.get("description", f"text like {wanted}")
            return f"{where}: expected {what}, was {excerpt(found)}"
    return f"{where}: expected {error.validator} {excerpt(wanted)}, was {excerpt(found)}"
