"""Protocols are data: how a provider is asked and how its answers are read, one JSON file each.

A new source that differs from the others only in such things needs a file here, and no Python.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from strades_pipelines.datamanager.ask import Ask, Auth, Paging, RateLimitErrors, Span, UsageHeader
from strades_pipelines.datamanager.checked_json import CheckError, check, read_checked
from strades_pipelines.datamanager.protocol import (
    NUMBER_FIELDS,
    Datasheet,
    Field,
    Knowledge,
    Login,
    Output,
    Protocol,
    Read,
    Scalar,
    Stream,
)
from strades_pipelines.settings import PROJECT
from strades_pipelines.system.secret_values import is_secret_name

KEY_BELONGS = "a key belongs into the environment, under the name that the protocol's ask.auth gives it"
FOLDER = PROJECT / "scrapers" / "protocols"
STREAM_MAX_BYTES = 16_000_000  # of a batch of frames; a recorder's batches end at half of it
STREAM_SUFFIX = "_stream"  # of the name under which the frames of a protocol's stream are stored and read
# Digits, signs, brackets of a loss, marks of fractions, ratios and bounds, letters of powers of ten (1e5, 5k, 5bn)
CHANGES_A_NUMBER = frozenset("0123456789+-\u2010\u2011\u2012\u2013\u2014\u2212\u00b1()[]{}/\u2044:^<>eEkKmMbBtT")


class ProtocolError(ValueError):
    """A protocol is not there or not as its schema says; one line."""


@cache
def protocol_names(folder: Path = FOLDER) -> tuple[str, ...]:
    """The names of the protocols of a folder, sorted."""
    return tuple(sorted(path.stem for path in folder.glob("*.json")))


@cache
def load_protocol(name: str, folder: Path = FOLDER) -> Protocol:
    """The protocol of a name; with `_stream` behind it, the one that reads the frames of its stream.

    Raises:
        ProtocolError: there is none, or its file is not as the schema says.
    """
    names = protocol_names(folder)
    base = name.removesuffix(STREAM_SUFFIX)
    if base != name and base in names and (stream := load_protocol(base, folder).stream) is not None:
        protocol = load_protocol(base, folder)
        ask = replace(protocol.ask, max_bytes=STREAM_MAX_BYTES)  # its own limit is of one REST answer
        return replace(protocol, name=name, read=stream.read, ask=ask)
    if name not in names:
        raise ProtocolError(f"expected one of {', '.join(names)}, was {name[:40]!r}")
    try:
        document = read_checked(folder / f"{name}.json", "protocol")
        if document["name"] != name:
            raise CheckError(f"name: expected {name!r} as the file is called, was {document['name']!r}")
        return _protocol(document)
    except CheckError as error:
        raise ProtocolError(f"{name}.json: {error}") from None


def make_protocol(document: Mapping[str, Any]) -> Protocol:
    """A protocol from its document, checked as a file would be.

    Raises:
        ProtocolError: not as the schema says.
    """
    try:
        check(document, "protocol")
        return _protocol(document)
    except CheckError as error:
        raise ProtocolError(str(error)) from None


def _protocol(document: Mapping[str, Any]) -> Protocol:
    _refuse_literal_keys(document["ask"])
    if document.get("export") == "attribution" and document["datasheet"]["attribution"].startswith("none"):
        raise CheckError("datasheet.attribution: expected whom to name, as export says, was none")
    listing = document.get("listing", {})
    return Protocol(
        **{key: document[key] for key in ("name", "title", "documentation", "licence")},
        datasheet=Datasheet(**document["datasheet"]),
        calendar=listing.get("calendar", "24/7"),
        adjustment=listing.get("adjustment", "raw"),
        ask=_ask(document["ask"]),
        read=_read(document["read"]),
        stream=_stream(document["stream"]) if "stream" in document else None,
        export=document.get("export", "own_use"),
    )


def _stream(item: Mapping[str, Any]) -> Stream:
    if item["read"]["format"] != "frames":
        raise CheckError(f"stream.read.format: expected 'frames', was {item['read']['format']!r}")
    sequence, login = item.get("sequence"), item.get("login")
    typed = {
        "match": _frozen(item["match"]),
        "read": _read(item["read"]),
        "subscribe": tuple(item.get("subscribe", ())),
        "errors": tuple(item.get("errors", ())),
        "sequence": (sequence["first"], sequence["last"]) if sequence else None,
        "login": Login(_frozen(login["message"]), _frozen(login["secrets"])) if login else None,
    }
    return Stream(**{**item, **typed})


def _refuse_literal_keys(ask: Mapping[str, Any]) -> None:
    """A protocol is in git: what its name says is a key must come from the environment."""
    for where in ("parameters", "headers"):
        for name, value in ask.get(where, {}).items():
            # A value with a `{` is filled in from elsewhere.
            if is_secret_name(name) and "{" not in value:
                raise CheckError(f"ask.{where}.{name}: expected no key here; {KEY_BELONGS}")
    if any(is_secret_name(name) for name, _ in parse_qsl(urlsplit(ask["url"]).query)):
        raise CheckError(f"ask.url: expected no key here; {KEY_BELONGS}")


def _ask(item: Mapping[str, Any]) -> Ask:
    return Ask(
        per=item["per"],
        kind=item.get("kind", "api"),
        method=item.get("method", "GET"),
        url=item["url"],
        parameters=_frozen(item.get("parameters")),
        headers=_frozen(item.get("headers")),
        time_unit=item.get("time_unit", "s"),
        intervals=_frozen(item.get("intervals")),
        chunk=Span(**item["chunk"]) if "chunk" in item else None,
        reach=Span(**item["reach"]) if "reach" in item else None,
        paging=Paging(**item["paging"]) if "paging" in item else None,
        lag_seconds=item.get("lag_seconds", 0),
        refresh_after_seconds=item.get("refresh_after_seconds"),
        requests_per_second=float(item["requests_per_second"]),
        concurrency=item["concurrency"],
        retries=item["retries"],
        timeout_seconds=float(item["timeout_seconds"]),
        max_bytes=item["max_bytes"],
        auth=_auth(item["auth"]) if "auth" in item else None,
        rate_limit_errors=_rate_limit_errors(item.get("rate_limit_errors")),
        usage_header=UsageHeader(**item["usage_header"]) if "usage_header" in item else None,
        burst=item.get("burst", 1),
    )


def _rate_limit_errors(item: Mapping[str, Any] | None) -> RateLimitErrors | None:
    return None if item is None else RateLimitErrors(item["at"], tuple(map(str, item["codes"])))


def _auth(item: Mapping[str, Any]) -> Auth:
    second = item.get("second")
    further = Auth("header", second["name"], second["variable"]) if second else None
    return Auth(item["in"], item["name"], item["variable"], item.get("scheme"), further)


def _read(item: Mapping[str, Any]) -> Read:
    return Read(
        format=item["format"],
        errors=tuple(item.get("errors", ())),
        scalars=MappingProxyType({name: Scalar(**scalar) for name, scalar in item.get("scalars", {}).items()}),
        namespaces=_frozen(item.get("namespaces")),
        delimiter=item.get("delimiter", ","),
        member=item.get("member"),
        max_unpacked_bytes=item.get("max_unpacked_bytes", 64_000_000),
        root=item.get("root"),
        outputs=tuple(map(_output, item["outputs"])),
        trailing_newline=item.get("trailing_newline", False),
    )


def _output(item: Mapping[str, Any]) -> Output:
    return Output(
        kind=item["kind"],
        layout=item["layout"],
        rows=item.get("rows", ""),
        fields=MappingProxyType({name: _field(name, field) for name, field in item["fields"].items()}),
        knowledge=Knowledge(**item["knowledge"]),
        earliest=date.fromisoformat(item["earliest"]),
        texts=_frozen(item.get("texts")),
        least_columns=item.get("least_columns", 0),
        empty=item.get("empty", "fine"),
        missing=tuple(item.get("missing", ())),
        finality=item.get("finality", "clock"),
        positive=item.get("positive", False),
        parents=item.get("parents"),
        count=item.get("count"),
        match=_frozen(item["match"]) if "match" in item else None,
        every_ms=item.get("every_ms", 0),
        keys=_keys(item),
        choose=_frozen({name: tuple(members) for name, members in item.get("choose", {}).items()}),
    )


def _keys(item: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the asterisks of a nested output's rows.

    Raises:
        CheckError: another number of names than of asterisks, or a choice of members of another name.
    """
    keys = tuple(item.get("keys", ()))
    asterisks = item.get("rows", "").split("/").count("*") if item["layout"] == "nested" else 0
    if len(keys) != asterisks:
        raise CheckError(f"outputs.keys: expected {asterisks} names, one for each * of nested rows, was {len(keys)}")
    for name in item.get("choose", {}):
        if name not in keys:
            raise CheckError(f"outputs.choose: expected names of keys, was {name!r}")
    return keys


def _field(name: str, item: Mapping[str, Any]) -> Field:
    field = Field(**{**item, "aliases": tuple(item.get("aliases", ()))})
    if name in NUMBER_FIELDS and field.decimal in field.remove:
        raise CheckError(f"fields.{name}.remove: expected not {field.decimal!r}, the mark before the decimals")
    changing = sorted(CHANGES_A_NUMBER & set(field.remove)) if name in NUMBER_FIELDS else []
    if changing:
        raise CheckError(
            f"fields.{name}.remove: expected no {' '.join(changing)} there: it changes the number;"
            " leave it, and its row is rejected"
        )
    try:
        re.compile(field.pattern or "")
    except re.error as error:
        raise CheckError(f"fields.{name}.pattern: expected a regular expression, was one with {error}") from None
    return field


def _frozen(item: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return MappingProxyType(dict(item or {}))
