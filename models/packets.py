"""What was handed over: the packet of each round that was offered, word for word."""

from sqlmodel import Field, SQLModel


class Packet(SQLModel, table=True):
    """The canonical JSON of a packet, fixed when its round (of purpose `transfer`) was offered.

    `sha256` also stands on the handoff and in the journal, and stays when an erasure empties `content`.
    """

    __tablename__ = "packet"

    participation_id: int = Field(primary_key=True, foreign_key="participation.id")
    round: int = Field(primary_key=True)
    sha256: str
    content: str
