"""Every table of the layers: the list, the rows of one, one row with where it comes from, and rows as a file."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_safe

from dashboard.core.frame import installation_of
from dashboard.datamanager.answers import line, said_too_slow, too_many_exports, too_slow
from dashboard.datamanager.exclusions import EXCLUDABLE
from dashboard.datamanager.requests import correction_kind
from dashboard.datamanager.row_files import WITH_ROWS, WRITERS, Exported
from dashboard.gateway import rows as gateway
from dashboard.gateway.exports import query_file
from dashboard.gateway.origins import read_where_from
from dashboard.gateway.reading import snapshot
from dashboard.gateway.row_queries import OPERATORS, Filter, Order, RowsRefused, page_query
from dashboard.gateway.rows import Row, RowsTooSlow, TooManyExports
from dashboard.gateway.tables import LAYERS, Table, read_freshness, read_relations, read_table
from dashboard.results.exports import file_response
from strades_pipelines.lineage.licences_of_rows import own_use_sources
from strades_pipelines.settings import settings

SHOWN_ROWS, SHOWN_LETTERS, SHOWN_LETTERS_OF_ROW, MOST_FILTERS = 50, 160, 50_000, 4
WORDS = {
    "rawsources": gettext_noop("the bytes as they came, and the log of every fetch; nobody changes them"),
    "records": gettext_noop("what the sources said, read from the bytes"),
    "staging": gettext_noop("records under dbt's names"),
    "cleaned": gettext_noop("records placed in sessions, compared between venues, in current shares"),
    "marts": gettext_noop("for people who ask how something went"),
    "features": gettext_noop("what models see, from what was known at each decision"),
    "predictions": gettext_noop("models, what they said, and how it turned out"),
    "signals": gettext_noop("what strategies decided, and why"),
    "trading": gettext_noop("wallets, intents, orders, fills, ledger; nobody changes them"),
    "results": gettext_noop("results of trading"),
    "ops": gettext_noop("runs, schedules, events, marks of what has yet to be worked out"),
}
STAMPS = frozenset({"fetch_id", "recorded_at"})


@dataclass(frozen=True)
class Question:
    """What the address asks of a table; `problem` says what of it is not understood."""

    filters: list[Filter]
    order: Order | None
    after: str
    problem: str | None = None

    def address(self, **changes: str) -> str:
        """The query of a link to the same question, but for these parts."""
        return urlencode(self.parts(**changes))

    def parts(self, **changes: str) -> list[tuple[str, str]]:
        """The names and values of that query."""
        parts: list[tuple[str, str]] = []
        for found in self.filters:
            parts += [("column", found.column), ("operator", found.operator), ("value", found.value)]
        parts += {"sort": sort_word(self.order), **changes}.items()
        # Filters are read by their places: an empty value must not fall out.
        return [(name, value) for name, value in parts if value or name == "value"]


@require_safe
def tables(request: HttpRequest) -> HttpResponse:
    """Every table and view, layer by layer."""
    with snapshot():
        relations = read_relations()
        newest = read_freshness(relations)
    layers = [
        (layer, WORDS[layer], [(found, newest.get(found.full_name)) for found in relations if found.schema == layer])
        for layer in LAYERS
    ]
    return render(request, "datamanager/tables.html", {"layers": [layer for layer in layers if layer[2]]})


@require_safe
def table(request: HttpRequest, schema: str, name: str) -> HttpResponse:
    """One table: what it is, and a page of its rows; filters, order and place stand in the address."""
    with snapshot():
        found = _table_or_404(schema, name)
        newest = read_freshness([found.relation])
    question = parse_question(request, found)
    rows, query, problem, status = _read_page(found, question)
    shown = rows[:SHOWN_ROWS]
    context = {
        "table": found,
        "newest": newest.get(found.relation.full_name),
        "question": question,
        "problem": problem,
        "operators": _operators(),
        "filters": [*question.filters, Filter("", "eq", "")][:MOST_FILTERS],
        "orders": [(word, label, word == sort_word(question.order)) for word, label in _order_choices(found)],
        "rows": [(row.key if found.orders else None, _cells(found, row)) for row in shown],
        "next": question.address(after=shown[-1].key or "") if len(rows) > SHOWN_ROWS and question.order else None,
        "first": question.address() if question.after else None,
        "is_cut": len(rows) > SHOWN_ROWS and not question.order,
        "parts": question.parts(),
        "has_sources": has_sources(found),
        "query": query,
        "most_exported": gateway.MOST_EXPORTED,
        "most_bytes": gateway.MOST_EXPORTED_BYTES,
    }
    return render(request, "datamanager/table.html", context, status=status)


@require_safe
def row(request: HttpRequest, schema: str, name: str) -> HttpResponse:
    """One row, by the key of its table, with where it comes from."""
    key = request.GET.get("key", "")
    with snapshot():
        found = _table_or_404(schema, name)
        if not found.orders or not key:
            raise Http404
        gateway.limit_time()
        try:
            one = gateway.read_row(found, key, letters=SHOWN_LETTERS_OF_ROW)
            versions = gateway.read_versions(found, key, letters=SHOWN_LETTERS)
        except RowsRefused:
            raise Http404 from None
        except RowsTooSlow:
            return said_too_slow()
        if one is None:
            raise Http404
        where_from = read_where_from(one.values, has_daily_bars=installation_of(request).has_daily_bars)
    context = {
        "table": found,
        "key": key,
        "cells": list(zip(found.columns, _cells(found, one), strict=True)),
        "versions": [_changes(found, one, version) for version in versions],
        "where_from": where_from,
        "correction": correction_kind(schema, name),
        "is_excludable": schema == "records" and name in EXCLUDABLE,
        "wallet": one.values.get("wallet"),
        "listing_id": one.values.get("listing_id"),
    }
    return render(request, "datamanager/row.html", context)


@require_safe
def export(request: HttpRequest, schema: str, name: str, kind: str) -> HttpResponse:
    """The rows that the filters of the address leave, in its order, as CSV or Parquet.

    As SQL the query behind them, as JSON their sources and licences. Rows that may not be passed on are written for
    whoever says that they are for own use (`own_use` in the address), as `strades export` does.
    """
    with snapshot():
        found = _table_or_404(schema, name)
    if kind not in WRITERS:
        raise Http404
    question, as_of = parse_question(request, found), settings().now()
    try:
        if question.problem:
            raise RowsRefused(None)
        query, parameters = page_query(
            found, question.filters, question.order, most=gateway.MOST_EXPORTED, letters=None
        )
        with snapshot():
            text = gateway.query_text(query, parameters)
        sql = query_file(text, as_of=as_of)
        with gateway.export_slot():
            rows = [] if kind == "sql" else list(gateway.export_rows(query, parameters))
            sources = _read_sources(found, rows)
            kept = own_use_sources(sources) if kind in WITH_ROWS and not request.GET.get("own_use") else []
            if kept:
                told = _("Not to be passed on: %(sources)s. Tick “for my own use” to have them for yourself alone.")
                return line(told % {"sources": "; ".join(kept)}, 403)
            written = WRITERS[kind](Exported(found.columns, rows, sql, sources))
    except RowsRefused:
        return line(_("A filter does not fit its column."), 400)
    except RowsTooSlow:
        return said_too_slow(gateway.EXPORT_SECONDS)
    except TooManyExports:
        return too_many_exports()
    return file_response(written, f"{schema}.{name}", kind, as_of)


def has_sources(table: Table) -> bool:
    """Whether rows of a table say which fetch they are of, and are more than the log of fetches."""
    return table.relation.schema not in ("rawsources", "ops") and table.column("fetch_id") is not None


def _read_sources(table: Table, rows: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    if not has_sources(table):
        return []
    place = [column.name for column in table.columns].index("fetch_id")
    return gateway.read_sources({row[place] for row in rows if row[place] is not None})


def parse_question(request: HttpRequest, table: Table) -> Question:
    """What the address asks; a filter without a column is left out, an order that no index has is said to be none."""
    given = request.GET
    triples = zip(given.getlist("column"), given.getlist("operator"), given.getlist("value"), strict=False)
    filters = [Filter(*triple) for triple in triples if triple[0]][:MOST_FILTERS]
    word = given.get("sort", "")
    words = dict(_order_choices(table))
    if word and word not in words:
        return Question(filters, _order(table, ""), "", _("No index has that order; choose one of the list."))
    return Question(filters, _order(table, word), given.get("after", ""))


def sort_word(order: Order | None) -> str:
    """An order as the address names it: columns with commas, a minus before them for the largest first."""
    return "" if order is None else ("-" if order.is_descending else "") + ",".join(order.columns)


def _order(table: Table, word: str) -> Order | None:
    if not table.orders:
        return None
    columns = tuple(word.removeprefix("-").split(",")) if word else table.orders[0]
    return Order(columns, word.startswith("-"))


def _order_choices(table: Table) -> list[tuple[str, str]]:
    """The orders that an index has, upwards and downwards, with a name each."""
    choices = []
    for columns in table.orders:
        text = ", ".join(columns)
        choices += [(",".join(columns), f"↑ {text}"), ("-" + ",".join(columns), f"↓ {text}")]
    return choices


def _read_page(table: Table, question: Question) -> tuple[list[Row], str, str | None, int]:
    """The rows, the query as text, what is wrong, and the status of the answer."""
    if question.problem:
        return [], "", question.problem, 400
    try:
        query, parameters = page_query(
            table,
            question.filters,
            question.order,
            after=question.after,
            most=SHOWN_ROWS + 1,
            letters=SHOWN_LETTERS,
        )
        with snapshot():
            text = gateway.query_text(query, parameters)
            gateway.limit_time()
            return gateway.read_rows(table, query, parameters), text, None, 200
    except RowsRefused as refused:
        named = f"{refused.column}: " if refused.column else ""
        return [], "", named + _("A filter does not fit its column."), 400
    except RowsTooSlow:
        return [], "", too_slow(), 503


def _table_or_404(schema: str, name: str) -> Table:
    found = read_table(schema, name)
    if found is None:
        raise Http404
    return found


def _operators() -> list[tuple[str, str]]:
    words = {"contains": _("contains"), "missing": _("is missing")}
    return [(name, words.get(name, sign)) for name, sign in OPERATORS.items()]


def _cells(table: Table, row: Row) -> list[Any]:
    return [row.values[column.name] for column in table.columns]


def _changes(table: Table, now: Row, before: Row) -> dict[str, Any]:
    """An old version: what of it differs from what stands now, and from when to when it stood."""
    names = [column.name for column in table.columns if column.name not in STAMPS]
    changed = [(name, before.values[name]) for name in names if before.values[name] != now.values[name]]
    stood = {"since": before.values.get("recorded_at"), "until": before.values[gateway.SUPERSEDED]}
    return {"changed": changed, "fetch_id": before.values.get("fetch_id"), **stood}
