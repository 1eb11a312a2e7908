"""handoffs between organisations: the return, sessions, packets, tokens, webhooks, the questionnaire and its sample.

A check names every code of its column, so a new code is a new check. On SQLite a table that gets one, or a column, is
built anew beside the old one (`migrations.env` sets its references aside meanwhile, and looks at them again).
"""

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op
from alembic.operations import BatchOperations

revision = "0002"
down_revision = "0001"
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
    "evaluation_requested",
    "evaluation_reminder",
    "evaluation_overdue",
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
    "path_completed",
    "participation_withdrawn",
    "participation_cancelled",
    "participation_lapsed",
    "participation_reinstated",
    "participation_corrected",
)
_SUBJECTS_BEFORE = ("participation", "placement", "handoff")
_SUBJECTS = ("participation", "placement", "handoff", "return")
_DOCUMENT_KIND_BEFORE = ("packet", "agreement", "attestation", "scan", "report")
_DOCUMENT_KIND = ("packet", "agreement", "attestation", "scan", "report", "transfer")
_FACT_KIND_BEFORE = ("approval", "preparation", "observation", "presence", "transfer", "evaluation")
_FACT_KIND = (
    "approval",
    "preparation",
    "observation",
    "presence",
    "transfer",
    "evaluation",
    "attendance",
    "note",
    "answers",
    "interview",
)
# table, column, its codes before and after
_CODES = (
    ("message", "kind", _KINDS_BEFORE, _KINDS),
    ("deadline", "subject", _SUBJECTS_BEFORE, _SUBJECTS),
    ("document", "kind", _DOCUMENT_KIND_BEFORE, _DOCUMENT_KIND),
    ("fact", "kind", _FACT_KIND_BEFORE, _FACT_KIND),
    ("notification", "kind", _KINDS_BEFORE, _KINDS),
    ("notification", "subject", _SUBJECTS_BEFORE, _SUBJECTS),
)


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "api_token",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("hash", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("prefix", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("label", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("created_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("revoked_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("last_used_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f("fk_api_token_organisation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("hash", name=op.f("uq_api_token_hash")),
        sa.UniqueConstraint("prefix", name=op.f("uq_api_token_prefix")),
    )
    op.create_index(op.f("ix_api_token_organisation_id"), "api_token", ["organisation_id"], unique=False)
    op.create_table(
        "sample_draw",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("edition_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("seed", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("since", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("strata", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("drawn_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("drawn_by", sa.Integer(), nullable=True),
        sa.Column("journal_seq", sa.Integer(), nullable=False),
        sa.Column("void_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["drawn_by"], ["party.id"], name=op.f("fk_sample_draw_drawn_by")),
        sa.ForeignKeyConstraint(["edition_id"], ["edition.id"], name=op.f("fk_sample_draw_edition_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sample_draw")),
        sa.UniqueConstraint("edition_id", "number", name=op.f("uq_sample_draw_edition_id_number")),
    )
    op.create_index(
        "uq_sample_draw_standing",
        "sample_draw",
        ["edition_id"],
        unique=True,
        sqlite_where=sa.text("void_at IS NULL"),
        postgresql_where=sa.text("void_at IS NULL"),
    )
    op.create_table(
        "transfer_session",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("edition_id", sa.Integer(), nullable=False),
        sa.Column("institute_id", sa.Integer(), nullable=False),
        sa.Column("status", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("starts_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("ends_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("place", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("url", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("key", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("key_content", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.CheckConstraint("place <> '' OR url <> ''", name=op.f("ck_transfer_session_somewhere")),
        sa.CheckConstraint("status IN ('planned', 'cancelled')", name=op.f("ck_transfer_session_status")),
        sa.CheckConstraint("capacity > 0", name=op.f("ck_transfer_session_capacity")),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_transfer_session_in_order")),
        sa.ForeignKeyConstraint(["edition_id"], ["edition.id"], name=op.f("fk_transfer_session_edition_id")),
        sa.ForeignKeyConstraint(["institute_id"], ["organisation.id"], name=op.f("fk_transfer_session_institute_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfer_session")),
        sa.UniqueConstraint("key", name=op.f("uq_transfer_session_key")),
        sa.UniqueConstraint("reference", name=op.f("uq_transfer_session_reference")),
    )
    op.create_index("ix_transfer_session_institute_id", "transfer_session", ["institute_id", "starts_at"], unique=False)
    op.create_table(
        "webhook",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("url", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("status", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("disabled_because", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("rotated_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("failing_since", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("not_before", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("answer", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("answered_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("leased_by", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("leased_until", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("created_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("disabled_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.CheckConstraint(
            "disabled_because IN ('failing', 'gone', 'by_hand')", name=op.f("ck_webhook_disabled_because")
        ),
        sa.CheckConstraint(
            "status <> 'disabled' OR (disabled_because IS NOT NULL AND disabled_at IS NOT NULL)",
            name=op.f("ck_webhook_disabled"),
        ),
        sa.CheckConstraint("status IN ('active', 'disabled')", name=op.f("ck_webhook_status")),
        sa.CheckConstraint("(leased_by IS NULL) = (leased_until IS NULL)", name=op.f("ck_webhook_leased")),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f("fk_webhook_organisation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook")),
    )
    op.create_index(
        "uq_webhook_active",
        "webhook",
        ["organisation_id", "url"],
        unique=True,
        sqlite_where=sa.text("status = 'active'"),
        postgresql_where=sa.text("status = 'active'"),
    )
    op.create_table(
        "answer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("participation_id", sa.Integer(), nullable=False),
        sa.Column("question", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("option", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("text", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.CheckConstraint(
            "(number IS NOT NULL AND option IS NULL AND text IS NULL) OR (number IS NULL AND option IS NOT NULL AND text IS NULL) OR (number IS NULL AND option IS NULL AND text IS NOT NULL)",
            name=op.f("ck_answer_one_kind"),
        ),
        sa.ForeignKeyConstraint(["participation_id"], ["participation.id"], name=op.f("fk_answer_participation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answer")),
        sa.UniqueConstraint("participation_id", "question", name=op.f("uq_answer_participation_id_question")),
    )
    op.create_table(
        "drawn",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("draw_id", sa.Integer(), nullable=False),
        sa.Column("participation_id", sa.Integer(), nullable=False),
        sa.Column("stratum", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("status", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("replaced_by", sa.Integer(), nullable=True),
        sa.CheckConstraint("replaced_by IS NULL OR status = 'replaced'", name=op.f("ck_drawn_replaced")),
        sa.CheckConstraint("status IN ('drawn', 'replaced', 'interviewed')", name=op.f("ck_drawn_status")),
        sa.ForeignKeyConstraint(["draw_id"], ["sample_draw.id"], name=op.f("fk_drawn_draw_id")),
        sa.ForeignKeyConstraint(["participation_id"], ["participation.id"], name=op.f("fk_drawn_participation_id")),
        sa.ForeignKeyConstraint(["replaced_by"], ["participation.id"], name=op.f("fk_drawn_replaced_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drawn")),
        sa.UniqueConstraint("draw_id", "participation_id", name=op.f("uq_drawn_draw_id_participation_id")),
    )
    op.create_index("ix_drawn_participation_id", "drawn", ["participation_id"], unique=False)
    op.create_table(
        "packet",
        sa.Column("participation_id", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("sha256", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("content", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.ForeignKeyConstraint(["participation_id"], ["participation.id"], name=op.f("fk_packet_participation_id")),
        sa.PrimaryKeyConstraint("participation_id", "round", name=op.f("pk_packet")),
    )
    op.create_table(
        "webhook_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("webhook_id", sa.Integer(), nullable=False),
        sa.Column("type", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("participation_id", sa.Integer(), nullable=True),
        sa.Column("purpose", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("round", sa.Integer(), nullable=True),
        sa.Column("handoff_status", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("seq", sa.Integer(), nullable=True),
        sa.Column("at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("status", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("first_failed_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("answer", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("settled_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.CheckConstraint("(type = 'ping') = (participation_id IS NULL)", name=op.f("ck_webhook_event_about")),
        sa.CheckConstraint(
            "handoff_status IN ('to_route', 'held', 'offered', 'accepted', 'declined', 'timed_out', 'completed', 'closed')",
            name=op.f("ck_webhook_event_handoff_status"),
        ),
        sa.CheckConstraint("purpose IN ('transfer', 'evaluation')", name=op.f("ck_webhook_event_purpose")),
        sa.CheckConstraint("status <> 'queued' OR settled_at IS NULL", name=op.f("ck_webhook_event_settled")),
        sa.CheckConstraint(
            "status IN ('queued', 'accepted', 'failed', 'dropped')", name=op.f("ck_webhook_event_status")
        ),
        sa.CheckConstraint("(participation_id IS NULL) = (seq IS NULL)", name=op.f("ck_webhook_event_entry")),
        sa.ForeignKeyConstraint(
            ["participation_id"], ["participation.id"], name=op.f("fk_webhook_event_participation_id")
        ),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhook.id"], name=op.f("fk_webhook_event_webhook_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_event")),
        sa.UniqueConstraint("key", name=op.f("uq_webhook_event_key")),
        sa.UniqueConstraint(
            "webhook_id", "participation_id", "seq", name=op.f("uq_webhook_event_webhook_id_participation_id_seq")
        ),
    )
    op.create_index(
        "ix_webhook_event_waiting",
        "webhook_event",
        ["webhook_id", "not_before"],
        unique=False,
        sqlite_where=sa.text("status = 'queued'"),
        postgresql_where=sa.text("status = 'queued'"),
    )
    with op.batch_alter_table("participation") as batch:
        batch.add_column(sa.Column("return_round", sa.Integer(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("transfer_session_id", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("attendance_on", sa.Date(), nullable=True))
        batch.add_column(sa.Column("note_on", sa.Date(), nullable=True))
        batch.add_column(sa.Column("answers_on", sa.Date(), nullable=True))
        batch.add_column(sa.Column("interview_on", sa.Date(), nullable=True))
        batch.add_column(sa.Column("drawn_on", sa.Date(), nullable=True))
        batch.create_foreign_key(
            "fk_participation_transfer_session_id", "transfer_session", ["transfer_session_id"], ["id"]
        )
        batch.create_index("ix_participation_transfer_session_id", ["transfer_session_id"], unique=False)
    with op.batch_alter_table("participation") as batch:
        batch.alter_column("return_round", server_default=None)
    with op.batch_alter_table("document") as batch:
        batch.add_column(sa.Column("organisation_id", sa.Integer(), nullable=True))
        batch.create_foreign_key("fk_document_organisation_id", "organisation", ["organisation_id"], ["id"])
        _recheck(batch, "document", "kind", _DOCUMENT_KIND)
    with op.batch_alter_table("handoff") as batch:
        batch.add_column(sa.Column("edition_id", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("changed_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True))
        batch.add_column(sa.Column("sent_back", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch.add_column(
            sa.Column("packet_hash", sqlmodel.sql.sqltypes.AutoString(), nullable=False, server_default="")
        )
        batch.create_foreign_key("fk_handoff_edition_id", "edition", ["edition_id"], ["id"])
        batch.create_check_constraint(
            op.f("ck_handoff_return_in_time"), "status <> 'timed_out' OR NOT (purpose = 'evaluation')"
        )
        batch.create_index(
            "ix_handoff_returned",
            ["sender_id", "id", "status", "edition_id", "changed_at"],
            unique=False,
            sqlite_where=sa.text("purpose = 'evaluation'"),
            postgresql_where=sa.text("purpose = 'evaluation'"),
        )
        batch.create_index(
            "ix_handoff_received", ["receiver_id", "id", "status", "purpose", "edition_id", "changed_at"], unique=False
        )
    op.execute(
        "UPDATE handoff SET edition_id = (SELECT edition_id FROM participation WHERE participation.id = handoff.participation_id)"
    )
    op.execute("UPDATE handoff SET changed_at = since")
    with op.batch_alter_table("handoff") as batch:
        batch.alter_column("edition_id", nullable=False)
        batch.alter_column("changed_at", nullable=False)
        batch.alter_column("sent_back", server_default=None)
        batch.alter_column("packet_hash", server_default=None)
    with op.batch_alter_table("message") as batch:
        _recheck(batch, "message", "kind", _KINDS)
    with op.batch_alter_table("deadline") as batch:
        _recheck(batch, "deadline", "subject", _SUBJECTS)
    with op.batch_alter_table("fact") as batch:
        _recheck(batch, "fact", "kind", _FACT_KIND)
    with op.batch_alter_table("notification") as batch:
        _recheck(batch, "notification", "kind", _KINDS)
        _recheck(batch, "notification", "subject", _SUBJECTS)
    # whoever was transferred under the first schema had their record taken for granted
    op.execute(
        "INSERT INTO handoff (participation_id, edition_id, purpose, round, status, sender_id, receiver_id, since, offered_at,"
        " changed_at, because, sent_back, packet_hash)"
        " SELECT p.id, p.edition_id, 'evaluation', 1, CASE p.state WHEN 'transferred' THEN 'accepted' ELSE 'completed' END,"
        " COALESCE(h.receiver_id, ifc.id), ifc.id, p.since, p.since, p.since, '', false, ''"
        " FROM participation p JOIN organisation ifc ON ifc.kind = 'ifc'"
        " LEFT JOIN handoff h ON h.participation_id = p.id AND h.round = p.handoff_round"
        " WHERE p.state IN ('transferred', 'evaluated')"
    )
    op.execute("UPDATE participation SET return_round = 1 WHERE state IN ('transferred', 'evaluated')")


def downgrade() -> None:
    """Take back: what only this revision knows is lost."""
    op.execute("DELETE FROM handoff WHERE purpose = 'evaluation'")
    with op.batch_alter_table("notification") as batch:
        _recheck(batch, "notification", "kind", _KINDS_BEFORE)
        _recheck(batch, "notification", "subject", _SUBJECTS_BEFORE)
    with op.batch_alter_table("fact") as batch:
        _recheck(batch, "fact", "kind", _FACT_KIND_BEFORE)
    with op.batch_alter_table("deadline") as batch:
        _recheck(batch, "deadline", "subject", _SUBJECTS_BEFORE)
    with op.batch_alter_table("message") as batch:
        _recheck(batch, "message", "kind", _KINDS_BEFORE)
    with op.batch_alter_table("handoff") as batch:
        batch.drop_index("ix_handoff_returned")
        batch.drop_index("ix_handoff_received")
        batch.drop_constraint("fk_handoff_edition_id", type_="foreignkey")
        batch.drop_constraint(op.f("ck_handoff_return_in_time"), type_="check")
        batch.drop_column("edition_id")
        batch.drop_column("changed_at")
        batch.drop_column("sent_back")
        batch.drop_column("packet_hash")
    with op.batch_alter_table("document") as batch:
        _recheck(batch, "document", "kind", _DOCUMENT_KIND_BEFORE)
        batch.drop_constraint("fk_document_organisation_id", type_="foreignkey")
        batch.drop_column("organisation_id")
    with op.batch_alter_table("participation") as batch:
        batch.drop_index("ix_participation_transfer_session_id")
        batch.drop_column("return_round")
        batch.drop_constraint("fk_participation_transfer_session_id", type_="foreignkey")
        batch.drop_column("transfer_session_id")
        batch.drop_column("attendance_on")
        batch.drop_column("note_on")
        batch.drop_column("answers_on")
        batch.drop_column("interview_on")
        batch.drop_column("drawn_on")
    op.drop_table("webhook_event")
    op.drop_table("packet")
    op.drop_table("drawn")
    op.drop_table("answer")
    op.drop_table("webhook")
    op.drop_table("transfer_session")
    op.drop_table("sample_draw")
    op.drop_table("api_token")


def _recheck(batch: BatchOperations, table: str, column: str, codes: tuple[str, ...]) -> None:
    """Say anew which codes a column may hold."""
    quoted = ", ".join(f"'{code}'" for code in codes)
    batch.drop_constraint(op.f(f"ck_{table}_{column}"), type_="check")
    batch.create_check_constraint(op.f(f"ck_{table}_{column}"), f"{column} IN ({quoted})")
