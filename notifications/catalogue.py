"""One row per kind of notification: to whom, whether an act is owed, and its habits on the way out.

`CATALOGUE` is total over `Kind`. It holds no sentence: the words of a kind stand in `templates/<language>/<kind>.j2`.
A step of a deadline ladder may name another audience than the kind's own: the edition wins, and the recipient then
gets the message as a copy (see `rendering`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from states.names import HandoffStatus, Kind, PlacementStatus, Role, State, Subject

_SUBJECT_OF: Mapping[type, Subject] = MappingProxyType(
    {State: Subject.PARTICIPATION, PlacementStatus: Subject.PLACEMENT, HandoffStatus: Subject.HANDOFF},
)

StillTrue = tuple[State, ...] | tuple[PlacementStatus, ...] | tuple[HandoffStatus, ...]
IfUnknown = Literal["resend", "leave"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KindSpec:
    """The habits of one kind of notification."""

    audience: Role
    without_school: Role | None = None
    """Who is told instead where the participant has no school, hence no director."""
    act_owed: bool
    """The recipient owes an act: the subject line says so."""
    may_fold: bool
    """Several of this kind for one recipient on one local day may travel in one message."""
    still_true: StillTrue | None
    """Statuses in which the message is worth sending when its turn comes; `None`: it tells a past fact, always is."""
    if_unknown: IfUnknown
    """What to do when nobody can tell whether it left: a second copy, or none, whichever does less harm."""
    figures: bool = False
    """Says how many are late, by organisation and age, and never who: whatever its items hold."""
    back: bool = False
    """`still_true` speaks of the return to IFC, whose statuses are a handoff's."""

    @property
    def about(self) -> Subject | None:
        """Whose status `still_true` speaks of."""
        if self.back:
            return Subject.RETURN
        return _SUBJECT_OF[type(self.still_true[0])] if self.still_true else None

    def audience_for(self, *, has_school: bool) -> Role:
        """Who is told about somebody with, or without, a school."""
        return self.audience if has_school or self.without_school is None else self.without_school

    def is_true_in(self, status: str) -> bool:
        """Whether the message is still worth sending when the subject (`about`) stands at `status`."""
        return self.still_true is None or status in self.still_true


def _asks(audience: Role, still_true: StillTrue, *, without_school: Role | None = None, back: bool = False) -> KindSpec:
    """Ask for an act; sent again when in doubt, since a missed request costs more than a doubled one."""
    return KindSpec(
        audience=audience,
        without_school=without_school,
        act_owed=True,
        may_fold=audience is not Role.TEACHER,
        still_true=still_true,
        if_unknown="resend",
        back=back,
    )


def _escalates(still_true: StillTrue, *, back: bool = False) -> KindSpec:
    """Tell the coordinator to step in; not sent twice, since the desk and `status` show the same thing."""
    return KindSpec(
        audience=Role.COORDINATOR,
        act_owed=True,
        may_fold=True,
        still_true=still_true,
        if_unknown="leave",
        back=back,
    )


def _tells(
    audience: Role,
    still_true: StillTrue | None = None,
    *,
    if_unknown: IfUnknown = "leave",
    may_fold: bool = False,
    without_school: Role | None = None,
) -> KindSpec:
    """Inform; `resend` where somebody would travel, or wait, for nothing without it."""
    return KindSpec(
        audience=audience,
        without_school=without_school,
        act_owed=False,
        may_fold=may_fold,
        still_true=still_true,
        if_unknown=if_unknown,
    )


_ON_PATH = (
    State.REGISTERED,
    State.DIRECTOR_APPROVED,
    State.PREPARED,
    State.OBSERVED,
    State.IMMERSED,
    State.TRANSFERRED,
    State.EVALUATED,
)
_IN_COMPANY_NEXT = (State.PREPARED, State.OBSERVED)
_ON_THE_DESK = (HandoffStatus.TO_ROUTE, HandoffStatus.HELD)  # also after a refusal: a new round is opened at once
_NOT_ACCEPTED = (*_ON_THE_DESK, HandoffStatus.OFFERED)
_BEFORE_EVALUATION = (State.IMMERSED, State.TRANSFERRED)

CATALOGUE: Mapping[Kind, KindSpec] = MappingProxyType(
    {
        # the director's, or IFC's, approval
        Kind.APPROVAL_REQUESTED: _asks(Role.DIRECTOR, (State.REGISTERED,), without_school=Role.COORDINATOR),
        Kind.APPROVAL_REMINDER: _asks(Role.DIRECTOR, (State.REGISTERED,), without_school=Role.COORDINATOR),
        Kind.APPROVAL_OVERDUE: _escalates((State.REGISTERED,)),
        Kind.REGISTRATION_APPROVED: _asks(Role.TEACHER, (State.DIRECTOR_APPROVED,)),
        Kind.REGISTRATION_DECLINED: _tells(Role.TEACHER, (State.DECLINED,), if_unknown="resend"),
        # a place
        Kind.PLACE_CONFIRMED: _tells(Role.TEACHER, (PlacementStatus.CONFIRMED,), if_unknown="resend"),
        Kind.TRAINEE_ANNOUNCED: _tells(Role.COMPANY, (PlacementStatus.CONFIRMED,), if_unknown="resend", may_fold=True),
        Kind.PLACE_LOST: _tells(Role.TEACHER, if_unknown="resend"),
        Kind.TRAINEE_WITHDRAWN: _tells(Role.COMPANY, if_unknown="resend"),  # may be for tomorrow: never folded
        Kind.DATES_FIXED: _tells(Role.TEACHER, (PlacementStatus.CONFIRMED,), if_unknown="resend"),
        Kind.TRAINEE_DATES_FIXED: _tells(
            Role.COMPANY, (PlacementStatus.CONFIRMED,), if_unknown="resend", may_fold=True
        ),
        Kind.PLACE_OVERDUE: _escalates((State.DIRECTOR_APPROVED, State.PREPARED, State.OBSERVED)),
        # preparation
        Kind.PREPARATION_REMINDER: _asks(Role.TEACHER, (State.DIRECTOR_APPROVED,)),
        Kind.PREPARATION_OVERDUE: _escalates((State.DIRECTOR_APPROVED,)),
        Kind.PREPARATION_CONFIRMED: _tells(Role.TEACHER, _IN_COMPANY_NEXT),
        # observation (five-step process)
        Kind.OBSERVATION_REMINDER: _asks(Role.COMPANY, (State.PREPARED,)),
        Kind.OBSERVATION_OVERDUE: _escalates((State.PREPARED,)),
        # immersion
        Kind.PRESENCE_REQUESTED: _asks(Role.COMPANY, _IN_COMPANY_NEXT),
        Kind.PRESENCE_REMINDER: _asks(Role.COMPANY, _IN_COMPANY_NEXT),
        Kind.PRESENCE_OVERDUE: _escalates(_IN_COMPANY_NEXT),
        Kind.IMMERSION_CONFIRMED: _tells(Role.TEACHER, (State.IMMERSED,)),
        Kind.ABSENCE_RECORDED: _tells(Role.TEACHER, (State.ABSENT,), if_unknown="resend"),
        # the relay and the transfer
        Kind.HANDOFF_OFFERED: _asks(Role.INSTITUTE, (HandoffStatus.OFFERED,)),
        Kind.HANDOFF_REMINDER: _asks(Role.INSTITUTE, (HandoffStatus.OFFERED,)),
        Kind.HANDOFF_OVERDUE: _escalates(_NOT_ACCEPTED),
        Kind.HANDOFF_TO_ROUTE: _asks(Role.COORDINATOR, _ON_THE_DESK),
        Kind.HANDOFF_ACCEPTED: _tells(Role.TEACHER, (HandoffStatus.ACCEPTED,)),
        Kind.HANDOFF_DECLINED: _asks(Role.COORDINATOR, _ON_THE_DESK),
        Kind.HANDOFF_TIMED_OUT: _asks(Role.COORDINATOR, _ON_THE_DESK),
        Kind.HANDOFF_HELD: _asks(Role.COORDINATOR, _ON_THE_DESK),
        Kind.HANDOFF_CLOSED: _tells(Role.INSTITUTE, if_unknown="resend", may_fold=True),
        Kind.TRANSFER_REMINDER: _asks(Role.INSTITUTE, (HandoffStatus.ACCEPTED,)),
        Kind.TRANSFER_OVERDUE: _escalates((HandoffStatus.ACCEPTED, HandoffStatus.HELD)),
        Kind.TRANSFER_INVITATION: _tells(Role.TEACHER, _BEFORE_EVALUATION, if_unknown="resend"),
        Kind.TRANSFER_MOVED: _tells(Role.TEACHER, _BEFORE_EVALUATION, if_unknown="resend"),
        Kind.TRANSFER_CALLED_OFF: _tells(Role.TEACHER, if_unknown="resend"),
        # the return
        Kind.RETURN_HELD: _asks(Role.COORDINATOR, (HandoffStatus.HELD,), back=True),
        Kind.RETURN_SENT_BACK: _asks(Role.INSTITUTE, (HandoffStatus.TO_ROUTE,), back=True),
        Kind.RETURN_REMINDER: _asks(Role.INSTITUTE, (HandoffStatus.TO_ROUTE,), back=True),
        Kind.RETURN_OVERDUE: _escalates(_NOT_ACCEPTED, back=True),
        Kind.WEBHOOK_DISABLED: KindSpec(
            audience=Role.COORDINATOR, act_owed=True, may_fold=True, still_true=None, if_unknown="resend"
        ),
        # evaluation and the end
        Kind.EVALUATION_REQUESTED: _asks(Role.TEACHER, (HandoffStatus.ACCEPTED,), back=True),
        Kind.EVALUATION_REMINDER: _asks(Role.TEACHER, (HandoffStatus.ACCEPTED,), back=True),
        Kind.EVALUATION_OVERDUE: _escalates((HandoffStatus.ACCEPTED,), back=True),
        Kind.SAMPLE_DRAWN: _tells(Role.TEACHER, _ON_PATH, if_unknown="resend"),
        Kind.COMMITTEE_DELAYS: KindSpec(
            audience=Role.COMMITTEE, act_owed=False, may_fold=True, still_true=None, if_unknown="leave", figures=True
        ),
        Kind.PATH_COMPLETED: _tells(Role.TEACHER, (State.EVALUATED,)),
        Kind.PARTICIPATION_WITHDRAWN: _tells(
            Role.DIRECTOR, (State.WITHDRAWN,), may_fold=True, without_school=Role.COORDINATOR
        ),
        Kind.PARTICIPATION_CANCELLED: _tells(Role.TEACHER, (State.CANCELLED,), if_unknown="resend"),
        Kind.PARTICIPATION_LAPSED: _tells(Role.TEACHER, (State.LAPSED,), if_unknown="resend"),
        Kind.PARTICIPATION_REINSTATED: _tells(Role.TEACHER, _ON_PATH, if_unknown="resend"),
        Kind.PARTICIPATION_CORRECTED: _tells(Role.TEACHER),
    },
)
