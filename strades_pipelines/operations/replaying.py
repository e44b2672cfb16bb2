"""Body of `strades replay`: a connection's frames again, and what is not as it was."""

from dataclasses import asdict

import typer

from strades_pipelines.bad_input import BadInput
from strades_pipelines.database.connection import connect
from strades_pipelines.installation.install import prepare
from strades_pipelines.lineage.row_lineage import NotFound
from strades_pipelines.lineage.stream_replay import newest_connections, replay_connection
from strades_pipelines.operations.output import print_result, say, table


def run_replay(connection: int | None, *, as_json: bool) -> None:
    """`strades replay`; ends with 1 where something is not as it was. Without a connection it lists the newest.

    Raises:
        BadInput: no frame of that connection is stored.
    """
    prepare()
    if connection is None:
        with connect() as ours:
            newest = newest_connections(ours)
        print_result({"connections": newest}, as_json, [table("source connection state updated_at", newest)])
        return
    try:
        document = asdict(replay_connection(connection))
    except NotFound as error:
        raise BadInput(str(error)) from None
    print_result(document, as_json, [table("source frames rows decisions recorded replayed", [document])])
    for line in document["differences"]:
        say(line)
    raise typer.Exit(1 if document["differences"] else 0)
