"""deadlines that their owner edits: desks, stand-ins, extensions, quiet hours, the closing report.

As in 0002, a check names every code of its column, so that a new code is a new check.
"""

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op
from alembic.operations import BatchOperations

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_KINDS_BEFORE = (
    "approval_requested",
    "approval_reminder",
    "approval_overdue",
    "registration_approved",
    "registration_declined",
    "place_confirmed",
    "trainee_announced",
    "place_lost",
    "trainee_withdrawn",
    "dates_fixed",
    "trainee_dates_fixed",
    "place_overdue",
    "preparation_reminder",
    "preparation_overdue",
    "preparation_confirmed",
    "observation_reminder",
    "observation_overdue",
    "presence_requested",
    "presence_reminder",
    "presence_overdue",
    "immersion_confirmed",
    "absence_recorded",
    "handoff_offered",
    "handoff_reminder",
    "handoff_overdue",
    "handoff_to_route",
    "handoff_accepted",
    "handoff_declined",
    "handoff_timed_out",
    "handoff_held",
    "handoff_closed",
    "transfer_reminder",
    "transfer_overdue",
    "transfer_invitation",
    "transfer_moved",
    "transfer_called_off",
    "return_held",
    "return_sent_back",
    "return_reminder",
    "return_overdue",
    "webhook_disabled",
    "evaluation_requested",
    "evaluation_reminder",
    "evaluation_overdue",
    "sample_drawn",
    "path_completed",
    "participation_withdrawn",
    "participation_cancelled",
    "participation_lapsed",
    "participation_reinstated",
    "participation_corrected",
)
_KINDS = (
    "approval_requested",
    "approval_reminder",
    "approval_overdue",
    "registration_approved",
    "registration_declined",
    "place_confirmed",
    "trainee_announced",
    "place_lost",
    "trainee_withdrawn",
    "dates_fixed",
    "trainee_dates_fixed",
    "place_overdue",
    "preparation_reminder",
    "preparation_overdue",
    "preparation_confirmed",
    "observation_reminder",
    "observation_overdue",
    "presence_requested",
    "presence_reminder",
    "presence_overdue",
    "immersion_confirmed",
    "absence_recorded",
    "handoff_offered",
    "handoff_reminder",
    "handoff_overdue",
    "handoff_to_route",
    "handoff_accepted",
    "handoff_declined",
    "handoff_timed_out",
    "handoff_held",
    "handoff_closed",
    "transfer_reminder",
    "transfer_overdue",
    "transfer_invitation",
    "transfer_moved",
    "transfer_called_off",
    "return_held",
    "return_sent_back",
    "return_reminder",
    "return_overdue",
    "webhook_disabled",
    "evaluation_requested",
    "evaluation_reminder",
    "evaluation_overdue",
    "sample_drawn",
    "committee_delays",
    "path_completed",
    "participation_withdrawn",
    "participation_cancelled",
    "participation_lapsed",
    "participation_reinstated",
    "participation_corrected",
)
_ANCHORS_BEFORE = ("entry", "first_day", "last_day", "placement_cutoff", "closing")
_ANCHORS = ("entry", "first_day", "last_day", "wished_day", "allocation", "placement_cutoff", "closing")
_LEVELS = ("first", "stand_in", "responsible")
_STANDS_IN = ("", "deputy", "mailbox", "desk")
_ROLES = ("teacher", "director", "company", "institute", "coordinator", "committee", "system")
_SUBJECTS = ("participation", "placement", "handoff", "return")
_DESK = ("open", "taken", "postponed", "done", "settled")


def upgrade() -> None:
    """Bring up to this revision."""
    text, moment = sqlmodel.sql.sqltypes.AutoString(), sqlmodel.sql.sqltypes.UTCDateTime()
    op.create_table(
        "desk_item",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("participation_id", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("role", text, nullable=False),
        sa.Column("subject", text, nullable=False),
        sa.Column("rule", text, nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("kind", text, nullable=False),
        sa.Column("status", text, nullable=False),
        sa.Column("since", moment, nullable=False),
        sa.Column("bumps", sa.Integer(), nullable=False),
        sa.Column("bumped_at", moment, nullable=False),
        sa.Column("taken_by", sa.Integer(), nullable=True),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("ended_at", moment, nullable=True),
        sa.CheckConstraint("(status = 'postponed') = (until IS NOT NULL)", name=op.f("ck_desk_item_until")),
        sa.CheckConstraint(_one_of("kind", _KINDS), name=op.f("ck_desk_item_kind")),
        sa.CheckConstraint(_one_of("role", _ROLES), name=op.f("ck_desk_item_role")),
        sa.CheckConstraint(_one_of("status", _DESK), name=op.f("ck_desk_item_status")),
        sa.CheckConstraint(_one_of("subject", _SUBJECTS), name=op.f("ck_desk_item_subject")),
        sa.ForeignKeyConstraint(["participation_id"], ["participation.id"], name=op.f("fk_desk_item_participation_id")),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f("fk_desk_item_organisation_id")),
        sa.ForeignKeyConstraint(["taken_by"], ["party.id"], name=op.f("fk_desk_item_taken_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_desk_item")),
        sa.UniqueConstraint(
            "participation_id",
            "subject",
            "rule",
            "generation",
            "organisation_id",
            "role",
            name=op.f("uq_desk_item_delay"),
        ),
    )
    op.create_index("ix_desk_item_participation_id", "desk_item", ["participation_id"], unique=False)
    op.create_index(
        "ix_desk_item_open",
        "desk_item",
        ["organisation_id", "since"],
        unique=False,
        sqlite_where=sa.text("status NOT IN ('done', 'settled')"),
        postgresql_where=sa.text("status NOT IN ('done', 'settled')"),
    )
    op.create_table(
        "edition_report",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("edition_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("sha256", text, nullable=False),
        sa.Column("content", text, nullable=False),
        sa.ForeignKeyConstraint(["edition_id"], ["edition.id"], name=op.f("fk_edition_report_edition_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_edition_report")),
        sa.UniqueConstraint("edition_id", "number", name=op.f("uq_edition_report_edition_id_number")),
    )
    with op.batch_alter_table("edition") as batch:
        batch.add_column(sa.Column("closed_at", moment, nullable=True))
    with op.batch_alter_table("notification") as batch:
        batch.add_column(sa.Column("level", text, nullable=False, server_default="first"))
        batch.add_column(sa.Column("alone", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch.create_check_constraint(op.f("ck_notification_level"), _one_of("level", _LEVELS))
        _recheck(batch, "notification", "kind", _KINDS)
    with op.batch_alter_table("message") as batch:
        batch.add_column(sa.Column("level", text, nullable=False, server_default="first"))
        batch.add_column(sa.Column("stands_in", text, nullable=False, server_default=""))
        batch.add_column(sa.Column("send_from", moment, nullable=True))
        batch.create_check_constraint(op.f("ck_message_level"), _one_of("level", _LEVELS))
        batch.create_check_constraint(op.f("ck_message_stands_in"), _one_of("stands_in", _STANDS_IN))
        _recheck(batch, "message", "kind", _KINDS)
    with op.batch_alter_table("deadline") as batch:
        batch.add_column(sa.Column("extension", sa.Integer(), nullable=False, server_default="0"))
        _recheck(batch, "deadline", "anchor", _ANCHORS)
    with op.batch_alter_table("participation") as batch:
        batch.add_column(sa.Column("wished_on", sa.Date(), nullable=True))
    op.execute(
        "UPDATE participation SET wished_on = (SELECT MIN(s.first_day) FROM wish w JOIN offer o ON o.id = w.offer_id"
        " JOIN session s ON s.offer_id = o.id WHERE w.participation_id = participation.id AND o.status = 'open')"
    )
    for table, columns in _DEFAULTED.items():
        with op.batch_alter_table(table) as batch:
            for column in columns:
                batch.alter_column(column, server_default=None)


def downgrade() -> None:
    """Take back: what only this revision knows is lost."""
    op.execute("DELETE FROM notification WHERE kind = 'committee_delays'")
    op.execute("DELETE FROM message_text WHERE message_id IN (SELECT id FROM message WHERE kind = 'committee_delays')")
    op.execute("DELETE FROM message WHERE kind = 'committee_delays'")
    op.execute("UPDATE deadline SET anchor = 'entry' WHERE anchor IN ('wished_day', 'allocation')")
    with op.batch_alter_table("participation") as batch:
        batch.drop_column("wished_on")
    with op.batch_alter_table("deadline") as batch:
        batch.drop_column("extension")
        _recheck(batch, "deadline", "anchor", _ANCHORS_BEFORE)
    with op.batch_alter_table("message") as batch:
        batch.drop_constraint(op.f("ck_message_level"), type_="check")
        batch.drop_constraint(op.f("ck_message_stands_in"), type_="check")
        batch.drop_column("level")
        batch.drop_column("stands_in")
        batch.drop_column("send_from")
        _recheck(batch, "message", "kind", _KINDS_BEFORE)
    with op.batch_alter_table("notification") as batch:
        batch.drop_constraint(op.f("ck_notification_level"), type_="check")
        batch.drop_column("level")
        batch.drop_column("alone")
        _recheck(batch, "notification", "kind", _KINDS_BEFORE)
    with op.batch_alter_table("edition") as batch:
        batch.drop_column("closed_at")
    op.drop_table("edition_report")
    op.drop_table("desk_item")


_DEFAULTED = {
    "notification": ("level", "alone"),
    "message": ("level", "stands_in"),
    "deadline": ("extension",),
}


def _one_of(column: str, codes: tuple[str, ...]) -> str:
    quoted = ", ".join(f"'{code}'" for code in codes)
    return f"{column} IN ({quoted})"


def _recheck(batch: BatchOperations, table: str, column: str, codes: tuple[str, ...]) -> None:
    """Say anew which codes a column may hold."""
    batch.drop_constraint(op.f(f"ck_{table}_{column}"), type_="check")
    batch.create_check_constraint(op.f(f"ck_{table}_{column}"), _one_of(column, codes))
