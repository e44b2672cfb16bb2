"""How every asset of ours is described: one place, so that none lacks an owner, a group or its columns."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import dagster as dg
import psycopg

from strades_pipelines.database.row_counts import count_rows
from strades_pipelines.database.tables import table_columns
from strades_pipelines.keys import OWNERS, key, table

Dependency = dg.AssetKey | dg.AssetDep
NO_FORMULAS: Mapping[str, str] = MappingProxyType({})


def table_spec(
    layer: str,
    entity: str,
    description: str,
    *,
    kinds: set[str],
    deps: Iterable[Dependency] = (),
    formulas: Mapping[str, str] = NO_FORMULAS,
    **more: Any,
) -> dg.AssetSpec:
    """The spec of an asset that is a table of the migrations, which its columns are read from.

    Args:
        formulas: descriptions of columns that neither the migrations nor column_descriptions.toml describe.
    """
    asset = key(layer, entity)
    return dg.AssetSpec(
        asset,
        description=description,
        group_name=layer,
        owners=OWNERS,
        kinds=kinds,
        deps=list(deps),
        metadata={"dagster/column_schema": column_schema(table(asset), formulas), "dagster/table_name": table(asset)},
        **more,
    )


def column_schema(name: str, formulas: Mapping[str, str] = NO_FORMULAS) -> dg.TableSchema:
    """The columns of a table of the migrations, as Dagster shows them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                column.type,
                column.comment or formulas.get(column.name),
                dg.TableColumnConstraints(nullable=column.nullable, unique=False),
            )
            for column in table_columns()[name]
        ]
    )


def counts(connection: "psycopg.Connection[Any]", asset: dg.AssetKey, **more: Any) -> dict[str, Any]:
    """The metadata of a materialization: rows of the table, and what else there is to say."""
    return {"dagster/row_count": count_rows(connection, table(asset)), **more}
