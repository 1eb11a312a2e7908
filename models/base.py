"""What every table shares: one metadata with named constraints, and two ways to say a constraint.

Status columns are plain strings with a CHECK: a new value is a migration, never a surprise. Moments are `datetime`
columns, which sqlmodel keeps aware and in UTC: never override their column type (SQLite would drop the offset).
"""

from collections.abc import Iterable
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, MetaData, Table, text
from sqlmodel import SQLModel

LARGEST_ID = 2**31 - 1  # that an integer column holds on PostgreSQL: a larger number is nobody's

metadata: MetaData = SQLModel.metadata
metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


def one_of(column: str, values: type[StrEnum] | Iterable[str]) -> CheckConstraint:
    """Return a CHECK that a string column holds one of these codes (or NULL where it may)."""
    return CheckConstraint(f"{column} IN ({_quoted(values)})", name=column)


def index_where(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """Return a partial index, the same on both engines."""
    condition = text(where)
    return Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def among(column: str, values: Iterable[str]) -> str:
    """Return the SQL of "column is one of these codes", for partial indexes."""
    return f"{column} IN ({_quoted(values)})"


def _quoted(values: Iterable[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)


def table_of(model: type[SQLModel]) -> Table:
    """Return a model's Core table: the hot paths speak Core, several times faster than the unit of work."""
    return metadata.tables[str(model.__tablename__)]
