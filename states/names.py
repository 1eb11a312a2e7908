"""The programme's vocabulary, as stable English codes.

No enum carries a text: every sentence and label a person reads comes from the catalogue (`notifications`) by these
codes. The strings are stored in the database, written in the journal and printed in JSON: never rename one.
"""

from enum import StrEnum


class Subject(StrEnum):
    """What a process table can be about."""

    PARTICIPATION = "participation"
    PLACEMENT = "placement"
    HANDOFF = "handoff"
    RETURN = "return"


class State(StrEnum):
    """States of a participation. `OBSERVED` exists in the five-step process (2014) only."""

    REGISTERED = "registered"
    DIRECTOR_APPROVED = "director_approved"
    PREPARED = "prepared"
    OBSERVED = "observed"
    IMMERSED = "immersed"
    TRANSFERRED = "transferred"
    EVALUATED = "evaluated"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    CANCELLED = "cancelled"
    LAPSED = "lapsed"
    ABSENT = "absent"


class PlacementStatus(StrEnum):
    """Statuses of one seat tried for one person."""

    PROPOSED = "proposed"
    OFFERED = "offered"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    EXPIRED = "expired"
    RELEASED = "released"


class HandoffStatus(StrEnum):
    """Statuses of one round of a handoff between two organisations."""

    TO_ROUTE = "to_route"
    HELD = "held"
    OFFERED = "offered"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    TIMED_OUT = "timed_out"
    COMPLETED = "completed"
    CLOSED = "closed"


class Purpose(StrEnum):
    """Why a participation is handed over."""

    TRANSFER = "transfer"
    EVALUATION = "evaluation"


class Cause(StrEnum):
    """Why a receiver declines a round; `OTHER` needs words of its own."""

    WRONG_NETWORK = "wrong_network"
    NO_SESSION = "no_session"
    INCOMPLETE_PACKET = "incomplete_packet"
    OTHER = "other"


class Missing(StrEnum):
    """What a packet, or the record that comes back, cannot do without, and why a round waits to be routed."""

    PLACE = "place"
    PRESENCE = "presence"
    NETWORK = "network"
    ROUTE = "route"
    TWO_ROUTES = "two_routes"
    OTHER_RECEIVER = "other_receiver"  # the one that the route names has already said no, or nothing
    # of the record that comes back with the return
    SESSION = "session"
    ATTENDANCE = "attendance"
    NOTE = "note"


class Trigger(StrEnum):
    """What somebody, or the system, may do to a subject."""

    REGISTER = "register"
    APPROVE = "approve"
    DECLINE = "decline"
    CONFIRM_PREPARATION = "confirm_preparation"
    CONFIRM_OBSERVATION = "confirm_observation"
    CONFIRM_IMMERSION = "confirm_immersion"
    RECORD_ABSENCE = "record_absence"
    CONFIRM_TRANSFER = "confirm_transfer"
    EVALUATE = "evaluate"
    WITHDRAW = "withdraw"
    CANCEL = "cancel"
    LAPSE = "lapse"
    REINSTATE = "reinstate"
    CORRECT = "correct"
    # a placement
    PROPOSE = "propose"
    OFFER = "offer"
    CONFIRM = "confirm"
    REFUSE = "refuse"
    EXPIRE = "expire"
    RELEASE = "release"
    # a handoff, or its return (they have `OFFER` and `DECLINE` too)
    REQUEST = "request"
    HOLD = "hold"
    ACCEPT = "accept"
    TIME_OUT = "time_out"
    COMPLETE = "complete"
    CLOSE = "close"
    REROUTE = "reroute"  # the edition's routes changed; of a participation, it moves nothing
    # entries of the journal that move nothing: no table has them
    RECORD_FACT = "record_fact"
    SET_DATES = "set_dates"
    INVITE = "invite"
    UNINVITE = "uninvite"
    ERASE = "erase"
    RECORD_COMMENT = "record_comment"
    ADD_DOCUMENT = "add_document"
    DRAW = "draw"  # into the sample that is evaluated in person, or out of it when a draw is void
    REPLACE = "replace"
    EXTEND = "extend"  # a deadline, by IFC
    REPLAN = "replan"  # the edition's ladder changed: deadlines are what the new one says
    MIGRATE = "migrate"  # to another process definition
    TAKE_UP = "take_up"  # an item of a desk
    POSTPONE = "postpone"
    SETTLE = "settle"


class Role(StrEnum):
    """A relation to one participation, never a title: the director is a director contact of *its* school."""

    TEACHER = "teacher"
    DIRECTOR = "director"
    COMPANY = "company"
    INSTITUTE = "institute"
    COORDINATOR = "coordinator"
    COMMITTEE = "committee"
    SYSTEM = "system"


DESK_ROLES = (Role.COORDINATOR, Role.INSTITUTE, Role.DIRECTOR, Role.COMPANY)
"""Those behind whom an organisation stands, which has a desk; the committee gets figures only."""


class Audience(StrEnum):
    """Whom a step of a ladder speaks to: a rung of the chain that climbs from who owes the act, or a role by name.

    The chain: who owes the act, their stand-in, their organisation's responsible, IFC, the committee (figures only).
    """

    OWNER = "owner"
    STAND_IN = "stand_in"
    RESPONSIBLE = "responsible"
    TEACHER = "teacher"
    DIRECTOR = "director"
    COMPANY = "company"
    INSTITUTE = "institute"
    COORDINATOR = "coordinator"
    COMMITTEE = "committee"


class Level(StrEnum):
    """Which contact of an organisation a message asks for: the first by rank, the next one, or the responsible."""

    FIRST = "first"
    STAND_IN = "stand_in"
    RESPONSIBLE = "responsible"


class StandIn(StrEnum):
    """Who was written to in somebody's stead, because they cannot be reached."""

    DEPUTY = "deputy"  # the next contact of the same organisation
    MAILBOX = "mailbox"  # its functional mailbox
    DESK = "desk"  # IFC's


class DeskStatus(StrEnum):
    """Statuses of an item on a desk; `SETTLED`: the act that it chases was done, nobody had to say so."""

    OPEN = "open"
    TAKEN = "taken"
    POSTPONED = "postponed"
    DONE = "done"
    SETTLED = "settled"


class FactKind(StrEnum):
    """What can be known to have happened, whenever it becomes known."""

    APPROVAL = "approval"
    PREPARATION = "preparation"
    OBSERVATION = "observation"
    PRESENCE = "presence"
    TRANSFER = "transfer"
    EVALUATION = "evaluation"
    ATTENDANCE = "attendance"  # at the transfer session
    NOTE = "note"  # of the institute, on the transfer
    ANSWERS = "answers"
    INTERVIEW = "interview"


class Guard(StrEnum):
    """A condition on a row of a process table; its code is the refusal's code when it does not hold."""

    HAS_NO_SCHOOL = "has_no_school"
    PREPARATION_KNOWN = "preparation_known"
    PLACE_CONFIRMED = "place_confirmed"
    DATES_KNOWN = "dates_known"
    FIRST_DAY_BEGUN = "first_day_begun"
    LAST_DAY_OVER = "last_day_over"
    PRESENCE_SUFFICIENT = "presence_sufficient"
    HANDOFF_ACCEPTED = "handoff_accepted"
    RETURN_ACCEPTED = "return_accepted"
    NO_PLACE = "no_place"
    REASON_GIVEN = "reason_given"
    CAUSE_GIVEN = "cause_given"
    PACKET_COMPLETE = "packet_complete"
    PACKET_INCOMPLETE = "packet_incomplete"
    WAITS_FOR_PLACE = "waits_for_place"
    GOES_ON = "goes_on"
    OVER = "over"
    IMMERSION_DONE = "immersion_done"
    IMMERSED = "immersed"
    NOT_IMMERSED = "not_immersed"
    TRANSFERRED = "transferred"
    NOT_TRANSFERRED = "not_transferred"
    NOT_EVALUATED = "not_evaluated"
    AWAITS_EVALUATION = "awaits_evaluation"
    EVALUATED = "evaluated"
    RECORD_COMPLETE = "record_complete"
    RECORD_INCOMPLETE = "record_incomplete"
    NOT_SENT_BACK = "not_sent_back"
    RECEIVER_KNOWN = "receiver_known"
    RECEIVER_IS_IFC = "receiver_is_ifc"
    ANSWERS_GIVEN = "answers_given"
    SEEN_IN_PERSON = "seen_in_person"


class Effect(StrEnum):
    """What follows a transition besides its messages and deadlines: joined by `decide`, or written by actions."""

    LOOK_AGAIN = "look_again"  # the progress job looks at this participation at the next tick
    RELEASE_PLACE = "release_place"  # the seat tried, if any, is released
    LEAVE_WAITING_LISTS = "leave_waiting_lists"
    FREE_SEAT = "free_seat"  # who waits for this offer is looked at
    REQUEST_HANDOFF = "request_handoff"  # a new round, to be routed
    ROUTE_AGAIN = "route_again"  # the handoffs job looks at this round at the next tick
    COMPLETE_HANDOFF = "complete_handoff"
    CLOSE_HANDOFF = "close_handoff"
    CALL_OFF_SESSION = "call_off_session"  # who was invited to a transfer session is expected there no more
    VOID_HANDOFF = "void_handoff"  # a completed one that a correction takes back
    REQUEST_RETURN = "request_return"  # the relay comes back to IFC
    CHECK_RETURN = "check_return"  # the handoffs job looks at the record at the next tick
    LOOK_AT_ANSWERS = "look_at_answers"  # as `LOOK_AGAIN`, where the answers were there before the record
    COMPLETE_RETURN = "complete_return"
    CLOSE_RETURN = "close_return"
    VOID_RETURN = "void_return"
    ALIGN = "align"  # place and handoff as an entry into that state would leave them


class Kind(StrEnum):
    """Kinds of notification: why something is said. The catalogue holds audience, words and habits of each."""

    # the director's, or IFC's, approval
    APPROVAL_REQUESTED = "approval_requested"
    APPROVAL_REMINDER = "approval_reminder"
    APPROVAL_OVERDUE = "approval_overdue"
    REGISTRATION_APPROVED = "registration_approved"
    REGISTRATION_DECLINED = "registration_declined"
    # a place
    PLACE_CONFIRMED = "place_confirmed"
    TRAINEE_ANNOUNCED = "trainee_announced"
    PLACE_LOST = "place_lost"
    TRAINEE_WITHDRAWN = "trainee_withdrawn"
    DATES_FIXED = "dates_fixed"
    TRAINEE_DATES_FIXED = "trainee_dates_fixed"
    PLACE_OVERDUE = "place_overdue"
    # preparation
    PREPARATION_REMINDER = "preparation_reminder"
    PREPARATION_OVERDUE = "preparation_overdue"
    PREPARATION_CONFIRMED = "preparation_confirmed"
    # observation (five-step process)
    OBSERVATION_REMINDER = "observation_reminder"
    OBSERVATION_OVERDUE = "observation_overdue"
    # immersion
    PRESENCE_REQUESTED = "presence_requested"
    PRESENCE_REMINDER = "presence_reminder"
    PRESENCE_OVERDUE = "presence_overdue"
    IMMERSION_CONFIRMED = "immersion_confirmed"
    ABSENCE_RECORDED = "absence_recorded"
    # the relay and the transfer
    HANDOFF_OFFERED = "handoff_offered"
    HANDOFF_REMINDER = "handoff_reminder"
    HANDOFF_OVERDUE = "handoff_overdue"
    HANDOFF_TO_ROUTE = "handoff_to_route"
    HANDOFF_ACCEPTED = "handoff_accepted"
    HANDOFF_DECLINED = "handoff_declined"
    HANDOFF_TIMED_OUT = "handoff_timed_out"
    HANDOFF_HELD = "handoff_held"
    HANDOFF_CLOSED = "handoff_closed"
    TRANSFER_REMINDER = "transfer_reminder"
    TRANSFER_OVERDUE = "transfer_overdue"
    TRANSFER_INVITATION = "transfer_invitation"
    TRANSFER_MOVED = "transfer_moved"
    TRANSFER_CALLED_OFF = "transfer_called_off"
    # the return
    RETURN_HELD = "return_held"
    RETURN_SENT_BACK = "return_sent_back"
    RETURN_REMINDER = "return_reminder"
    RETURN_OVERDUE = "return_overdue"
    WEBHOOK_DISABLED = "webhook_disabled"
    # evaluation and the end
    EVALUATION_REQUESTED = "evaluation_requested"
    EVALUATION_REMINDER = "evaluation_reminder"
    EVALUATION_OVERDUE = "evaluation_overdue"
    SAMPLE_DRAWN = "sample_drawn"
    COMMITTEE_DELAYS = "committee_delays"  # of any rule, in figures
    PATH_COMPLETED = "path_completed"
    PARTICIPATION_WITHDRAWN = "participation_withdrawn"
    PARTICIPATION_CANCELLED = "participation_cancelled"
    PARTICIPATION_LAPSED = "participation_lapsed"
    PARTICIPATION_REINSTATED = "participation_reinstated"
    PARTICIPATION_CORRECTED = "participation_corrected"


class Anchor(StrEnum):
    """The moment a deadline counts from; `ENTRY` is the entry into the state (for a handoff: its offer).

    `WISHED_DAY` is the first day of the soonest of the offers that somebody wishes, once one of them is dated.
    """

    ENTRY = "entry"
    FIRST_DAY = "first_day"
    LAST_DAY = "last_day"
    WISHED_DAY = "wished_day"
    ALLOCATION = "allocation"
    PLACEMENT_CUTOFF = "placement_cutoff"
    CLOSING = "closing"


class DeadlineStatus(StrEnum):
    """`WAITING` for its anchor, `OPEN`, then one of four ends."""

    WAITING = "waiting"
    OPEN = "open"
    FIRED = "fired"
    MISSED = "missed"
    MET = "met"
    CLOSED = "closed"


class StepAction(StrEnum):
    """What a step of a ladder does when it falls due. The first two leave the deadline's subject as it is.

    `LAPSE` and `CANCEL` end a participation, `TIME_OUT` a round that its receiver left unanswered.
    """

    REMIND = "remind"
    ESCALATE = "escalate"
    LAPSE = "lapse"
    CANCEL = "cancel"
    TIME_OUT = "time_out"


class MessageStatus(StrEnum):
    """Statuses of one envelope."""

    QUEUED = "queued"
    HELD = "held"
    FOLDED = "folded"
    LEASED = "leased"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    DROPPED = "dropped"
    FAILED = "failed"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"


class WebhookStatus(StrEnum):
    """Statuses of a receiver that an institute named."""

    ACTIVE = "active"
    DISABLED = "disabled"


class EventStatus(StrEnum):
    """Statuses of one event for one receiver; only a replay takes one out of the last three."""

    QUEUED = "queued"
    ACCEPTED = "accepted"
    FAILED = "failed"  # given up: the receiver never took it
    DROPPED = "dropped"  # not sent, or no more: the receiver was disabled


class ParticipantKind(StrEnum):
    """What the participant is (`fonction` in the import files, whose values these are)."""

    ENSEIGNANT = "enseignant"
    CHEF_ATELIER = "chef_atelier"
    FORMATEUR = "formateur"
    FORMATEUR_CEFA = "formateur_cefa"
    FORMATEUR_CTA = "formateur_cta"
    CONSEILLER_PEDAGOGIQUE = "conseiller_pedagogique"
    INSPECTEUR = "inspecteur"


class Network(StrEnum):
    """School networks (`reseau` in the import files)."""

    WBE = "WBE"
    CPEONS = "CPEONS"
    CECP = "CECP"
    FELSI = "FELSI"
    SEGEC = "SeGEC"


class Education(StrEnum):
    """Ordinary or special education (`enseignement` in the import files)."""

    ORDINAIRE = "ordinaire"
    SPECIALISE = "specialise"


class OrganisationKind(StrEnum):
    """Kinds of organisation."""

    SCHOOL = "school"
    COMPANY = "company"
    INSTITUTE = "institute"
    IFC = "ifc"
    COMMITTEE = "committee"


class QuestionKind(StrEnum):
    """What a question of the evaluation may be answered with."""

    SCALE = "scale"
    CHOICE = "choice"
    YES_NO = "yes_no"
    TEXT = "text"


class Stratum(StrEnum):
    """What the sample that is evaluated in person may be stratified by."""

    NETWORK = "network"
    EDUCATION = "education"
    KIND = "kind"
    BASIN = "basin"
    SECTOR = "sector"
    COMPANY = "company"


class DrawnStatus(StrEnum):
    """Where somebody drawn into the sample stands."""

    DRAWN = "drawn"
    REPLACED = "replaced"
    INTERVIEWED = "interviewed"
