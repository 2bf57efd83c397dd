"""Initial schema

Revision ID: 5f3c9a1d2b70
Revises:
Create Date: 2020-03-17 10:21:44
"""
import sqlalchemy as sa
from alembic import op

revision = "5f3c9a1d2b70"
down_revision = None
branch_labels = None
depends_on = None

STAGES = (
    (1, "Qualified", 1, 10, "open"),
    (2, "Contacted", 2, 25, "open"),
    (3, "Proposal", 3, 50, "open"),
    (4, "Negotiation", 4, 75, "open"),
    (5, "Won", 5, 100, "won"),
    (6, "Lost", 6, 0, "lost"),
)


def _reference(table, nullable=False):
    singular = {"activities": "activity", "deal_stages": "stage"}.get(table, table[:-1])
    return sa.Column(singular + "_id", sa.Integer(), sa.ForeignKey(table + ".id"), nullable=nullable)


def _user(name, nullable=False):
    return sa.Column(name, sa.Integer(), sa.ForeignKey("users.id"), nullable=nullable)


def _id():
    return sa.Column("id", sa.Integer(), primary_key=True)


def _created():
    return sa.Column("created_at", sa.DateTime(), nullable=False)


def _updated():
    return sa.Column("updated_at", sa.DateTime(), nullable=False)


def upgrade():
    _create_people()
    _create_customers()
    _create_deals()
    _create_activities()
    op.create_table(
        "audit_log",
        _id(),
        _user("user_id", nullable=True),
        sa.Column("action", sa.String(60), nullable=False),
        sa.Column("entity", sa.String(40), nullable=False),
        sa.Column("entity_id", sa.Integer()),
        sa.Column("detail", sa.Text()),
        sa.Column("ip", sa.String(45)),
        _created(),
    )


def _create_people():
    op.create_table(
        "users",
        _id(),
        sa.Column("email", sa.String(120), nullable=False, unique=True),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("password_hash", sa.String(200), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        _created(),
        sa.Column("last_login_at", sa.DateTime()),
    )
    op.create_table(
        "api_tokens",
        _id(),
        _user("user_id"),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
        _created(),
        sa.Column("revoked_at", sa.DateTime()),
    )


def _create_customers():
    op.create_table(
        "customers",
        _id(),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("industry", sa.String(60)),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("city", sa.String(80)),
        sa.Column("country", sa.String(80)),
        sa.Column("website", sa.String(200)),
        sa.Column("phone", sa.String(40)),
        sa.Column("annual_revenue", sa.Numeric(14, 2)),
        sa.Column("notes", sa.Text()),
        _user("owner_id"),
        _created(),
        _updated(),
        sa.Column("archived_at", sa.DateTime()),
    )
    op.create_table(
        "contacts",
        _id(),
        _reference("customers"),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("title", sa.String(80)),
        sa.Column("email", sa.Text()),
        sa.Column("phone", sa.Text()),
        _created(),
        _updated(),
    )


def _create_deals():
    stages = op.create_table(
        "deal_stages",
        _id(),
        sa.Column("name", sa.String(40), nullable=False, unique=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("probability", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
    )
    op.bulk_insert(
        stages, [dict(zip(("id", "name", "position", "probability", "status"), stage)) for stage in STAGES]
    )
    op.execute("SELECT setval('deal_stages_id_seq', %d)" % len(STAGES))
    op.create_table(
        "deals",
        _id(),
        _reference("customers"),
        _reference("contacts", nullable=True),
        _user("owner_id"),
        _reference("deal_stages"),
        sa.Column("title", sa.String(160), nullable=False),
        sa.Column("amount", sa.Numeric(12, 2), nullable=False),
        sa.Column("expected_close", sa.Date()),
        sa.Column("closed_at", sa.DateTime()),
        sa.Column("lost_reason", sa.String(200)),
        _created(),
        _updated(),
    )


def _create_activities():
    op.create_table(
        "activities",
        _id(),
        _reference("customers"),
        _reference("contacts", nullable=True),
        _reference("deals", nullable=True),
        _user("user_id"),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("subject", sa.String(160), nullable=False),
        sa.Column("body", sa.Text()),
        sa.Column("due_at", sa.DateTime()),
        sa.Column("done_at", sa.DateTime()),
        _created(),
        _updated(),
    )
    op.create_table(
        "attachments",
        _id(),
        _reference("customers"),
        _reference("deals", nullable=True),
        _user("uploaded_by_id"),
        sa.Column("filename", sa.String(200), nullable=False),
        sa.Column("stored_name", sa.String(64), nullable=False, unique=True),
        sa.Column("content_type", sa.String(100), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        _created(),
    )


def downgrade():
    for table in (
        "audit_log", "attachments", "activities", "deals", "deal_stages", "contacts", "customers", "api_tokens", "users",
    ):
        op.drop_table(table)
