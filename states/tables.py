"""The lifecycle: who may do what, from where, to where, on which condition, with what consequence.

Whoever wants to know what happens when a director approves reads the row `APPROVE` here, and nothing else. Sources: the
programme's 2018 press file (four steps; five until 2016-2017) and the triggers agreed with its users. Guards are
explained in `states.guards`, effects in `actions.effects`, messages in `notifications.catalogue`; offsets, audiences
and texts of deadlines stand in the edition file.
"""

from collections.abc import Mapping
from types import MappingProxyType

from core.errors import NotFound
from states.names import Anchor, Effect, Guard, HandoffStatus, Kind, PlacementStatus, Role, State, Subject, Trigger
from states.process import CHOSEN, JUSTIFIED, START, Process, Row, StateSpec

T, S, G, E, K = Trigger, State, Guard, Effect, Kind
P, H, A = PlacementStatus, HandoffStatus, Anchor
TEACHER, DIRECTOR, COMPANY, INSTITUTE = Role.TEACHER, Role.DIRECTOR, Role.COMPANY, Role.INSTITUTE
IFC, SYSTEM = Role.COORDINATOR, Role.SYSTEM

# Tables are read across, one row a thought.
# fmt: off

# ---------------------------------------------------------------------------------------------- participation, states
# state: who owes, which act, deadline rules and what each counts from (the first is the one that the act meets)
_CLOSING = {"closing": A.CLOSING}
_PLACE = {"place": A.PLACEMENT_CUTOFF}  # stands only while there is no confirmed place

_FIRST_STATES = {
    S.REGISTERED:        StateSpec(DIRECTOR, T.APPROVE, {"approval": A.ENTRY, **_CLOSING}),
    S.DIRECTOR_APPROVED: StateSpec(TEACHER, T.CONFIRM_PREPARATION, {"preparation": A.FIRST_DAY, **_PLACE, **_CLOSING}),
}
_STATES_2018 = {
    **_FIRST_STATES,
    S.PREPARED:          StateSpec(COMPANY, T.CONFIRM_IMMERSION, {"presence": A.LAST_DAY, **_PLACE, **_CLOSING}),
}
_STATES_2014 = {
    **_FIRST_STATES,
    S.PREPARED:          StateSpec(COMPANY, T.CONFIRM_OBSERVATION, {"observation": A.FIRST_DAY, **_PLACE, **_CLOSING}),
    S.OBSERVED:          StateSpec(COMPANY, T.CONFIRM_IMMERSION, {"presence": A.LAST_DAY, **_PLACE, **_CLOSING}),
}
_LAST_STATES = {
    S.IMMERSED:          StateSpec(INSTITUTE, T.CONFIRM_TRANSFER, _CLOSING),  # its own deadlines hang on the handoff
    S.TRANSFERRED:       StateSpec(TEACHER, T.EVALUATE, _CLOSING),  # as above: on the return
    S.EVALUATED:         StateSpec(),
    S.DECLINED:          StateSpec(),
    S.WITHDRAWN:         StateSpec(),
    S.CANCELLED:         StateSpec(),
    S.LAPSED:            StateSpec(),
    S.ABSENT:            StateSpec(),
}

# ------------------------------------------------------------------------------------------------ participation, rows
_GIVE_UP = (E.RELEASE_PLACE, E.LEAVE_WAITING_LISTS)

_UNTIL_PREPARED = (
    Row(T.REGISTER, (START,), S.REGISTERED, (DIRECTOR, IFC, SYSTEM), tells=(K.APPROVAL_REQUESTED,)),
    Row(T.APPROVE, (S.REGISTERED,), S.DIRECTOR_APPROVED, (DIRECTOR,),
        effects=(E.LOOK_AGAIN,), tells=(K.REGISTRATION_APPROVED,)),
    Row(T.APPROVE, (S.REGISTERED,), S.DIRECTOR_APPROVED, (IFC,), (G.HAS_NO_SCHOOL,),
        (E.LOOK_AGAIN,), (K.REGISTRATION_APPROVED,)),
    Row(T.DECLINE, (S.REGISTERED,), S.DECLINED, (DIRECTOR,), (), _GIVE_UP, (K.REGISTRATION_DECLINED,)),
    Row(T.DECLINE, (S.REGISTERED,), S.DECLINED, (IFC,), (G.HAS_NO_SCHOOL,), _GIVE_UP, (K.REGISTRATION_DECLINED,)),
    Row(T.CONFIRM_PREPARATION, (S.DIRECTOR_APPROVED,), S.PREPARED, (TEACHER, IFC, SYSTEM), (G.PREPARATION_KNOWN,),
        (E.LOOK_AGAIN,), (K.PREPARATION_CONFIRMED,)),
)


def _immersion(before: State, where_absence_shows: tuple[State, ...]) -> tuple[Row, ...]:
    return (
        Row(T.CONFIRM_IMMERSION, (before,), S.IMMERSED, (COMPANY, IFC, SYSTEM),
            (G.PLACE_CONFIRMED, G.DATES_KNOWN, G.LAST_DAY_OVER, G.PRESENCE_SUFFICIENT),
            (E.REQUEST_HANDOFF,), (K.IMMERSION_CONFIRMED,)),
        Row(T.RECORD_ABSENCE, where_absence_shows, S.ABSENT, (COMPANY, IFC),
            (G.PLACE_CONFIRMED, G.DATES_KNOWN, G.FIRST_DAY_BEGUN),
            (E.LEAVE_WAITING_LISTS,), (K.ABSENCE_RECORDED,)),  # the seat is lost, not freed
    )


_IMMERSION_2018 = _immersion(S.PREPARED, (S.PREPARED,))
_IMMERSION_2014 = (
    Row(T.CONFIRM_OBSERVATION, (S.PREPARED,), S.OBSERVED, (COMPANY, IFC),
        (G.PLACE_CONFIRMED, G.DATES_KNOWN), (E.LOOK_AGAIN,)),
    *_immersion(S.OBSERVED, (S.PREPARED, S.OBSERVED)),
)
_RELAY_AND_END = (
    Row(T.CONFIRM_TRANSFER, (S.IMMERSED,), S.TRANSFERRED, (INSTITUTE, IFC), (G.HANDOFF_ACCEPTED,),
        (E.COMPLETE_HANDOFF, E.REQUEST_RETURN)),
    Row(T.EVALUATE, (S.TRANSFERRED,), S.EVALUATED, (TEACHER, IFC, SYSTEM),
        (G.RETURN_ACCEPTED, G.ANSWERS_GIVEN, G.SEEN_IN_PERSON), (E.COMPLETE_RETURN,), (K.PATH_COMPLETED,)),
)


def _off_the_path(path: tuple[State, ...], states: tuple[State, ...]) -> tuple[Row, ...]:
    before, after = path[: path.index(S.IMMERSED)], (S.IMMERSED, S.TRANSFERRED)
    call_back = (E.CLOSE_HANDOFF, E.CLOSE_RETURN)  # the internship took place: its seat stays used
    return (
        Row(T.WITHDRAW, before, S.WITHDRAWN, (TEACHER, DIRECTOR, IFC), (), _GIVE_UP, (K.PARTICIPATION_WITHDRAWN,)),
        Row(T.WITHDRAW, after, S.WITHDRAWN, (TEACHER, DIRECTOR, IFC), (), call_back, (K.PARTICIPATION_WITHDRAWN,)),
        Row(T.CANCEL, before, S.CANCELLED, (IFC,), (), _GIVE_UP, (K.PARTICIPATION_CANCELLED,)),
        Row(T.CANCEL, before, S.CANCELLED, (SYSTEM,), (G.NO_PLACE,), _GIVE_UP, (K.PARTICIPATION_CANCELLED,)),
        Row(T.LAPSE, before, S.LAPSED, (SYSTEM,), (), _GIVE_UP, (K.PARTICIPATION_LAPSED,)),
        Row(T.LAPSE, after, S.LAPSED, (SYSTEM,), (), call_back, (K.PARTICIPATION_LAPSED,)),
        Row(T.REINSTATE, (S.DECLINED, S.WITHDRAWN, S.CANCELLED, S.LAPSED, S.ABSENT), JUSTIFIED, (IFC,),
            (G.REASON_GIVEN,), (E.ALIGN, E.LOOK_AGAIN), (K.PARTICIPATION_REINSTATED,)),
        Row(T.CORRECT, states, CHOSEN, (IFC,), (G.REASON_GIVEN,),
            (E.ALIGN, E.LOOK_AGAIN), (K.PARTICIPATION_CORRECTED,)),
    )


def _participation(version: str, path: tuple[State, ...], own_states: Mapping[State, StateSpec],
                   immersion: tuple[Row, ...]) -> Process:
    states: dict[State, StateSpec] = {**own_states, **_LAST_STATES}
    rows = (*_UNTIL_PREPARED, *immersion, *_RELAY_AND_END, *_off_the_path(path, tuple(states)))
    by_name: Mapping[str, StateSpec] = {str(name): spec for name, spec in states.items()}
    return Process(Subject.PARTICIPATION, version, path, MappingProxyType(by_name), rows)


PROCESS_2018 = _participation(
    "2018", (S.REGISTERED, S.DIRECTOR_APPROVED, S.PREPARED, S.IMMERSED, S.TRANSFERRED, S.EVALUATED),
    _STATES_2018, _IMMERSION_2018)
PROCESS_2014 = _participation(
    "2014", (S.REGISTERED, S.DIRECTOR_APPROVED, S.PREPARED, S.OBSERVED, S.IMMERSED, S.TRANSFERRED, S.EVALUATED),
    _STATES_2014, _IMMERSION_2014)

# ---------------------------------------------------------------------------- placement: one seat tried for one person
PLACEMENT = Process(
    Subject.PLACEMENT, "1", (P.PROPOSED, P.OFFERED, P.CONFIRMED),
    MappingProxyType({
        P.PROPOSED:  StateSpec(IFC, T.CONFIRM),
        P.OFFERED:   StateSpec(TEACHER, T.CONFIRM),
        P.CONFIRMED: StateSpec(),
        P.REFUSED:   StateSpec(),
        P.EXPIRED:   StateSpec(),
        P.RELEASED:  StateSpec(),
    }),
    (
        Row(T.PROPOSE, (START, P.REFUSED, P.EXPIRED, P.RELEASED), P.PROPOSED, (IFC, SYSTEM), (G.WAITS_FOR_PLACE,)),
        Row(T.OFFER, (P.PROPOSED,), P.OFFERED, (IFC, SYSTEM), (G.WAITS_FOR_PLACE,)),
        Row(T.CONFIRM, (P.PROPOSED,), P.CONFIRMED, (IFC, SYSTEM), (G.WAITS_FOR_PLACE,),
            (E.LEAVE_WAITING_LISTS, E.LOOK_AGAIN), (K.PLACE_CONFIRMED, K.TRAINEE_ANNOUNCED)),
        Row(T.CONFIRM, (P.OFFERED,), P.CONFIRMED, (TEACHER, IFC), (G.WAITS_FOR_PLACE,),
            (E.LEAVE_WAITING_LISTS, E.LOOK_AGAIN), (K.PLACE_CONFIRMED, K.TRAINEE_ANNOUNCED)),
        Row(T.REFUSE, (P.OFFERED,), P.REFUSED, (TEACHER, IFC), (), (E.FREE_SEAT, E.LOOK_AGAIN)),
        Row(T.EXPIRE, (P.OFFERED,), P.EXPIRED, (SYSTEM,), (), (E.FREE_SEAT, E.LOOK_AGAIN)),
        Row(T.RELEASE, (P.PROPOSED, P.OFFERED), P.RELEASED, (TEACHER, DIRECTOR, COMPANY, IFC, SYSTEM), (),
            (E.FREE_SEAT, E.LOOK_AGAIN)),
        # the participation ends: the company must know that nobody comes
        Row(T.RELEASE, (P.CONFIRMED,), P.RELEASED, (TEACHER, DIRECTOR, IFC, SYSTEM), (G.OVER,),
            (E.FREE_SEAT,), (K.TRAINEE_WITHDRAWN,)),
        # the place goes, the participation stays: the teacher must know, and another place is looked for
        Row(T.RELEASE, (P.CONFIRMED,), P.RELEASED, (COMPANY, IFC, SYSTEM), (G.GOES_ON,),
            (E.FREE_SEAT, E.LOOK_AGAIN), (K.PLACE_LOST,)),
    ),
)

# ------------------------------------------------------------------------- handoff: one round between two organisations
HANDOFF = Process(
    Subject.HANDOFF, "1", (H.TO_ROUTE, H.OFFERED, H.ACCEPTED, H.COMPLETED),
    MappingProxyType({
        H.TO_ROUTE:  StateSpec(IFC, T.OFFER, {"routing": A.ENTRY}),
        H.HELD:      StateSpec(IFC, T.OFFER, {"completion": A.ENTRY}),
        H.OFFERED:   StateSpec(INSTITUTE, T.ACCEPT, {"acceptance": A.ENTRY}),
        H.ACCEPTED:  StateSpec(INSTITUTE, T.COMPLETE, {"transfer": A.ENTRY}),
        H.DECLINED:  StateSpec(),
        H.TIMED_OUT: StateSpec(),
        H.COMPLETED: StateSpec(),
        H.CLOSED:    StateSpec(),
    }),
    (
        Row(T.REQUEST, (START, H.DECLINED, H.TIMED_OUT, H.CLOSED), H.TO_ROUTE, (COMPANY, INSTITUTE, IFC, SYSTEM),
            (G.IMMERSION_DONE,), (E.ROUTE_AGAIN,)),
        Row(T.HOLD, (H.TO_ROUTE,), H.HELD, (SYSTEM,), (G.IMMERSED, G.PACKET_INCOMPLETE), tells=(K.HANDOFF_HELD,)),
        Row(T.HOLD, (H.TO_ROUTE,), H.HELD, (IFC,), (G.IMMERSED, G.REASON_GIVEN)),
        Row(T.OFFER, (H.TO_ROUTE, H.HELD), H.OFFERED, (IFC, SYSTEM),
            (G.IMMERSED, G.RECEIVER_KNOWN, G.PACKET_COMPLETE), tells=(K.HANDOFF_OFFERED,)),
        Row(T.ACCEPT, (H.OFFERED,), H.ACCEPTED, (INSTITUTE,), (G.IMMERSED,), tells=(K.HANDOFF_ACCEPTED,)),
        Row(T.ACCEPT, (H.OFFERED,), H.ACCEPTED, (IFC,), (G.IMMERSED, G.RECEIVER_IS_IFC), tells=(K.HANDOFF_ACCEPTED,)),
        # the receiver says no (IFC may note it for them), or nothing: a new round lands on IFC's desk
        Row(T.DECLINE, (H.OFFERED,), H.DECLINED, (INSTITUTE, IFC), (G.IMMERSED, G.CAUSE_GIVEN),
            (E.REQUEST_HANDOFF,), (K.HANDOFF_DECLINED,)),
        Row(T.TIME_OUT, (H.OFFERED,), H.TIMED_OUT, (SYSTEM,), (G.IMMERSED,),
            (E.REQUEST_HANDOFF,), (K.HANDOFF_TIMED_OUT, K.HANDOFF_CLOSED)),
        # the edition's routes no longer name the receiver: whoever they name now gets a new round (`actions.routes`)
        Row(T.REROUTE, (H.OFFERED,), H.CLOSED, (IFC,), (G.IMMERSED, G.REASON_GIVEN),
            (E.REQUEST_HANDOFF,), (K.HANDOFF_CLOSED,)),
        # joined to the participation's own act, never pulled alone
        Row(T.COMPLETE, (H.ACCEPTED,), H.COMPLETED, (INSTITUTE, IFC), (G.TRANSFERRED,)),
        Row(T.COMPLETE, (H.TO_ROUTE, H.HELD, H.OFFERED), H.COMPLETED, (IFC,), (G.TRANSFERRED,)),
        Row(T.CLOSE, (H.TO_ROUTE, H.HELD), H.CLOSED, (TEACHER, DIRECTOR, IFC, SYSTEM), (G.NOT_IMMERSED,)),
        # what was planned, attended and noted in a round that is closed goes with it: the next one begins anew
        Row(T.CLOSE, (H.OFFERED, H.ACCEPTED), H.CLOSED, (TEACHER, DIRECTOR, IFC, SYSTEM), (G.NOT_IMMERSED,),
            (E.CALL_OFF_SESSION,), (K.HANDOFF_CLOSED,)),
        Row(T.CLOSE, (H.COMPLETED,), H.CLOSED, (IFC,), (G.NOT_TRANSFERRED,),
            (E.CALL_OFF_SESSION,), (K.HANDOFF_CLOSED,)),
    ),
)

# -------------------------------------------------------- return: the relay comes back to IFC, before the evaluation
RETURN = Process(
    Subject.RETURN, "1", (H.OFFERED, H.ACCEPTED, H.COMPLETED),
    MappingProxyType({
        H.TO_ROUTE:  StateSpec(INSTITUTE, T.OFFER, {"completion": A.ENTRY}),  # sent back: with the institute again
        H.OFFERED:   StateSpec(IFC, T.ACCEPT, {"acceptance": A.ENTRY}),  # for one tick: the system answers
        H.HELD:      StateSpec(IFC, T.ACCEPT, {"acceptance": A.ENTRY}),
        H.ACCEPTED:  StateSpec(TEACHER, T.EVALUATE, {"evaluation": A.ENTRY}),
        H.DECLINED:  StateSpec(),
        H.COMPLETED: StateSpec(),
        H.CLOSED:    StateSpec(),
    }),
    (
        Row(T.REQUEST, (START, H.CLOSED), H.OFFERED, (INSTITUTE, IFC), (G.TRANSFERRED,), (E.CHECK_RETURN,)),
        Row(T.REQUEST, (H.DECLINED,), H.TO_ROUTE, (IFC,), (G.AWAITS_EVALUATION,)),
        Row(T.OFFER, (H.TO_ROUTE,), H.OFFERED, (INSTITUTE, IFC), (G.AWAITS_EVALUATION,), (E.CHECK_RETURN,)),
        Row(T.ACCEPT, (H.OFFERED, H.HELD), H.ACCEPTED, (IFC, SYSTEM), (G.AWAITS_EVALUATION, G.RECORD_COMPLETE),
            (E.LOOK_AT_ANSWERS,), (K.EVALUATION_REQUESTED,)),
        Row(T.HOLD, (H.OFFERED,), H.HELD, (SYSTEM,), (G.AWAITS_EVALUATION, G.RECORD_INCOMPLETE),
            tells=(K.RETURN_HELD,)),
        # IFC sends it back, once: a new round, which the institute completes
        Row(T.DECLINE, (H.OFFERED, H.HELD, H.ACCEPTED), H.DECLINED, (IFC,),
            (G.AWAITS_EVALUATION, G.REASON_GIVEN, G.NOT_SENT_BACK), (E.REQUEST_RETURN,), (K.RETURN_SENT_BACK,)),
        # joined to the participation's own acts, never pulled alone
        Row(T.COMPLETE, (H.TO_ROUTE, H.OFFERED, H.HELD, H.ACCEPTED), H.COMPLETED, (TEACHER, IFC, SYSTEM),
            (G.EVALUATED,)),
        Row(T.CLOSE, (H.TO_ROUTE,), H.CLOSED, (TEACHER, DIRECTOR, IFC, SYSTEM), (G.NOT_TRANSFERRED,),
            tells=(K.HANDOFF_CLOSED,)),
        Row(T.CLOSE, (H.OFFERED, H.HELD, H.ACCEPTED), H.CLOSED, (TEACHER, DIRECTOR, IFC, SYSTEM), (G.NOT_TRANSFERRED,)),
        Row(T.CLOSE, (H.COMPLETED,), H.CLOSED, (IFC,), (G.NOT_EVALUATED,)),
    ),
)
# fmt: on

PARTICIPATION_PROCESSES: Mapping[str, Process] = MappingProxyType({"2018": PROCESS_2018, "2014": PROCESS_2014})


def process_for(subject: Subject, version: str) -> Process:
    """Return the table of a subject; `version` counts for participations only.

    Raises NotFound (`unknown_process`).
    """
    if subject is Subject.PLACEMENT:
        return PLACEMENT
    if subject is Subject.HANDOFF:
        return HANDOFF
    if subject is Subject.RETURN:
        return RETURN
    if version not in PARTICIPATION_PROCESSES:
        raise NotFound("unknown_process", version=version, known=tuple(PARTICIPATION_PROCESSES))
    return PARTICIPATION_PROCESSES[version]
