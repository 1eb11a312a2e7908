"""A participation with all that stands around it: the joins that several readers share."""

from sqlalchemy import and_

from models.base import table_of
from models.handoffs import Handoff
from models.participations import Participation
from models.people import Organisation, Party
from models.places import Offer, OfferSession, Placement, Seat
from states.names import OrganisationKind, Purpose

_PARTICIPATION, _PARTY, _HANDOFF = table_of(Participation), table_of(Party), table_of(Handoff)
_PLACEMENT, _SEAT, _SESSION, _OFFER = table_of(Placement), table_of(Seat), table_of(OfferSession), table_of(Offer)

SCHOOL, COMPANY = table_of(Organisation).alias("school"), table_of(Organisation).alias("company")
RECEIVER, IFC = table_of(Organisation).alias("receiver"), table_of(Organisation).alias("ifc")
RETURNED = _HANDOFF.alias("returned")

# One row a participation: the person, the school, the latest place tried with its company, the latest handoff with its
# receiver, the latest return, and IFC.
AROUND = (
    _PARTICIPATION.join(_PARTY, _PARTY.c.id == _PARTICIPATION.c.party_id)
    .join(IFC, IFC.c.kind == OrganisationKind.IFC.value)
    .outerjoin(SCHOOL, SCHOOL.c.id == _PARTICIPATION.c.school_id)
    .outerjoin(
        _PLACEMENT,
        and_(
            _PLACEMENT.c.participation_id == _PARTICIPATION.c.id,
            _PLACEMENT.c.attempt == _PARTICIPATION.c.placement_attempt,
        ),
    )
    .outerjoin(_SEAT, _SEAT.c.id == _PLACEMENT.c.seat_id)
    .outerjoin(_SESSION, _SESSION.c.id == _SEAT.c.session_id)
    .outerjoin(_OFFER, _OFFER.c.id == _SESSION.c.offer_id)
    .outerjoin(COMPANY, COMPANY.c.id == _OFFER.c.company_id)
    .outerjoin(
        _HANDOFF,
        and_(
            _HANDOFF.c.participation_id == _PARTICIPATION.c.id,
            _HANDOFF.c.purpose == Purpose.TRANSFER.value,
            _HANDOFF.c.round == _PARTICIPATION.c.handoff_round,
        ),
    )
    .outerjoin(RECEIVER, RECEIVER.c.id == _HANDOFF.c.receiver_id)
    .outerjoin(
        RETURNED,
        and_(
            RETURNED.c.participation_id == _PARTICIPATION.c.id,
            RETURNED.c.purpose == Purpose.EVALUATION.value,
            RETURNED.c.round == _PARTICIPATION.c.return_round,
        ),
    )
)
