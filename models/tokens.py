"""What lets a program of an institute in: a token, of which only the hash is kept."""

from datetime import datetime

from sqlmodel import Field, SQLModel


class ApiToken(SQLModel, table=True):
    """One token of one institute. `prefix` is its beginning, by which people tell it from others.

    The moments are those of the machine: `last_used_at` is right to a minute.
    """

    __tablename__ = "api_token"

    id: int | None = Field(default=None, primary_key=True)
    organisation_id: int = Field(foreign_key="organisation.id", index=True)
    hash: str = Field(unique=True)
    prefix: str = Field(unique=True)
    label: str
    created_at: datetime
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
