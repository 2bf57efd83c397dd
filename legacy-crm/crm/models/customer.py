"""Customers (companies) and the people who work there."""
from crm.clock import utcnow
from crm.encryption import EncryptedString
from crm.extensions import db

STATUSES = ("lead", "active", "inactive", "archived")
INDUSTRIES = (
    "Agriculture", "Construction", "Education", "Energy", "Finance", "Food & Drink", "Healthcare", "Logistics",
    "Manufacturing", "Media", "Retail", "Software", "Travel",
)


class Customer(db.Model):
    __tablename__ = "customers"

    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(120), nullable=False)
    industry = db.Column(db.String(60))
    status = db.Column(db.String(20), nullable=False, default="lead")
    city = db.Column(db.String(80))
    country = db.Column(db.String(80))
    website = db.Column(db.String(200))
    phone = db.Column(db.String(40))
    annual_revenue = db.Column(db.Numeric(14, 2))
    notes = db.Column(db.Text)
    owner_id = db.Column(db.Integer, db.ForeignKey("users.id"), nullable=False)
    created_at = db.Column(db.DateTime, nullable=False, default=utcnow)
    updated_at = db.Column(db.DateTime, nullable=False, default=utcnow, onupdate=utcnow)
    archived_at = db.Column(db.DateTime)

    owner = db.relationship("User")
    contacts = db.relationship("Contact", back_populates="customer", order_by="Contact.name, Contact.id")
    deals = db.relationship("Deal", back_populates="customer", order_by="Deal.created_at.desc(), Deal.id.desc()")
    activities = db.relationship("Activity", back_populates="customer", lazy="dynamic")
    attachments = db.relationship("Attachment", back_populates="customer", order_by="Attachment.id")

    @property
    def is_archived(self):
        return self.archived_at is not None

    @property
    def contact_count(self):
        return len(self.contacts)

    @property
    def open_deal_total(self):
        return sum(deal.amount for deal in self.deals if deal.status == "open")

    def archive(self):
        self.status = "archived"
        self.archived_at = utcnow()

    @classmethod
    def visible_to(cls, user):
        """A query of the customers that the user may see."""
        query = cls.query
        if not user.sees_everything:
            query = query.filter(cls.owner_id == user.id)
        return query


class Contact(db.Model):
    __tablename__ = "contacts"

    id = db.Column(db.Integer, primary_key=True)
    customer_id = db.Column(db.Integer, db.ForeignKey("customers.id"), nullable=False)
    name = db.Column(db.String(120), nullable=False)
    title = db.Column(db.String(80))
    email = db.Column(EncryptedString)
    phone = db.Column(EncryptedString)
    created_at = db.Column(db.DateTime, nullable=False, default=utcnow)
    updated_at = db.Column(db.DateTime, nullable=False, default=utcnow, onupdate=utcnow)

    customer = db.relationship("Customer", back_populates="contacts")

    @classmethod
    def visible_to(cls, user):
        query = cls.query.join(Customer, cls.customer_id == Customer.id)
        if not user.sees_everything:
            query = query.filter(Customer.owner_id == user.id)
        return query
