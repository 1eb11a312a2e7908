"""Every row of a database, to be compared with those of another, or searched."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Engine, select

from models import metadata

Dump = dict[str, list[dict[str, Any]]]


def dump(engine: Engine, without: Sequence[str] = ()) -> Dump:
    """Return every row of every table, but for the columns named `table.column`, in the order of the primary keys."""
    found: Dump = {}
    with engine.begin() as connection:
        for table in metadata.sorted_tables:
            rows = connection.execute(select(table).order_by(*table.primary_key.columns)).mappings()
            left = [column.name for column in table.c if f"{table.name}.{column.name}" not in without]
            found[table.name] = [{name: row[name] for name in left} for row in rows]
    return found


def comparable(found: Dump) -> Dump:
    """Return a dump in which nothing depends on who came first.

    Ids become numbers, since a sequence of PostgreSQL leaves a gap where a transaction ended badly; those that nobody
    refers to are left out; rows are in the order of what they say.
    """
    referred = {key.column.table.name for table in metadata.tables.values() for key in table.foreign_keys}
    numbers = {
        name: {row["id"]: number for number, row in enumerate(rows, start=1)}
        for name, rows in found.items()
        if rows and isinstance(rows[0].get("id"), int)
    }
    result: Dump = {}
    for name, rows in found.items():
        columns = {
            key.parent.name: key.column.table.name
            for key in metadata.tables[name].foreign_keys
            if key.column.table.name in numbers
        }
        columns |= {"id": name} if name in numbers else {}
        dropped = {"id"} - ({"id"} if name in referred or name not in numbers else set())
        kept = [{**row, **_numbered(row, columns, numbers)} for row in rows]
        kept = [{column: value for column, value in row.items() if column not in dropped} for row in kept]
        result[name] = sorted(kept, key=repr)
    return result


def _numbered(
    row: Mapping[str, Any], columns: Mapping[str, str], numbers: Mapping[str, Mapping[int, int]]
) -> dict[str, Any]:
    changed: dict[str, Any] = {
        column: numbers[table].get(row[column]) for column, table in columns.items() if column in row
    }
    if "chain_id" in row:
        changed["chain_id"] = numbers[row["chain"]][row["chain_id"]]
    if "participation_id" in columns and "key" in row:  # begins with the participation's id
        changed["key"] = f"{changed['participation_id']}/{row['key'].partition('/')[2]}"
    return changed


def differences(before: Dump, after: Dump) -> dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """Return, by table, the rows that are gone and those that are new."""
    found = {}
    for name in before:
        gone = [row for row in before[name] if row not in after[name]]
        new = [row for row in after[name] if row not in before[name]]
        if gone or new:
            found[name] = (gone, new)
    return found


def words_in(engine: Engine, words: Sequence[str]) -> list[str]:
    """Return where in the whole database any of these words stands, as `table.column`."""
    return sorted(
        {
            f"{table}.{column}"
            for table, rows in dump(engine).items()
            for row in rows
            for column, value in row.items()
            if isinstance(value, str) and any(word.casefold() in value.casefold() for word in words)
        }
    )
