"""Tables and their constraints; no behaviour. What must never happen is made impossible here, not checked elsewhere."""

from models.base import metadata, table_of
from models.deadlines import Deadline
from models.desk import DeskItem
from models.editions import Edition, EditionReport, EditionRevision
from models.evaluation import Answer, Drawn, SampleDraw
from models.handoffs import Handoff, TransferSession
from models.journal import JournalEntry, JournalText, Seal
from models.messages import Message, MessageText, Notification
from models.packets import Packet
from models.participations import Fact, Participation, Wish
from models.people import Contact, Organisation, Party
from models.places import Offer, OfferSession, Placement, Seat, Waiting
from models.tokens import ApiToken
from models.webhooks import Webhook, WebhookEvent
from models.work import Document, Lease, SetAside

__all__ = [
    "Answer",
    "ApiToken",
    "Contact",
    "Deadline",
    "DeskItem",
    "Document",
    "Drawn",
    "Edition",
    "EditionReport",
    "EditionRevision",
    "Fact",
    "Handoff",
    "JournalEntry",
    "JournalText",
    "Lease",
    "Message",
    "MessageText",
    "Notification",
    "Offer",
    "OfferSession",
    "Organisation",
    "Packet",
    "Participation",
    "Party",
    "Placement",
    "SampleDraw",
    "Seal",
    "Seat",
    "SetAside",
    "TransferSession",
    "Waiting",
    "Webhook",
    "WebhookEvent",
    "Wish",
    "metadata",
    "table_of",
]
