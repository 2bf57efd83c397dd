"""Deals and the stages they go through. The stages are rows of the first migration."""
from crm.clock import utcnow
from crm.extensions import db
from crm.models.customer import Customer

DEAL_STATUSES = ("open", "won", "lost")


class DealStage(db.Model):
    __tablename__ = "deal_stages"

    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(40), nullable=False, unique=True)
    position = db.Column(db.Integer, nullable=False)
    probability = db.Column(db.Integer, nullable=False)  # per cent
    status = db.Column(db.String(10), nullable=False)  # what a deal in this stage is: open, won or lost

    @classmethod
    def in_order(cls):
        return cls.query.order_by(cls.position)


class Deal(db.Model):
    __tablename__ = "deals"

    id = db.Column(db.Integer, primary_key=True)
    customer_id = db.Column(db.Integer, db.ForeignKey("customers.id"), nullable=False)
    contact_id = db.Column(db.Integer, db.ForeignKey("contacts.id"))
    owner_id = db.Column(db.Integer, db.ForeignKey("users.id"), nullable=False)
    stage_id = db.Column(db.Integer, db.ForeignKey("deal_stages.id"), nullable=False)
    title = db.Column(db.String(160), nullable=False)
    amount = db.Column(db.Numeric(12, 2), nullable=False, default=0)
    expected_close = db.Column(db.Date)
    closed_at = db.Column(db.DateTime)
    lost_reason = db.Column(db.String(200))
    created_at = db.Column(db.DateTime, nullable=False, default=utcnow)
    updated_at = db.Column(db.DateTime, nullable=False, default=utcnow, onupdate=utcnow)

    customer = db.relationship("Customer", back_populates="deals")
    contact = db.relationship("Contact")
    owner = db.relationship("User")
    stage = db.relationship("DealStage")

    @property
    def status(self):
        return self.stage.status

    @property
    def weighted_amount(self):
        return self.amount * self.stage.probability / 100

    @classmethod
    def visible_to(cls, user):
        query = cls.query.join(Customer, cls.customer_id == Customer.id)
        if not user.sees_everything:
            query = query.filter(Customer.owner_id == user.id)
        return query
