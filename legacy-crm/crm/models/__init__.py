"""All tables. Import models from here."""
from crm.models.activity import Activity, Attachment
from crm.models.audit import AuditLog
from crm.models.customer import Contact, Customer
from crm.models.deal import Deal, DealStage
from crm.models.user import ROLES, ApiToken, User

__all__ = [
    "ROLES", "Activity", "ApiToken", "Attachment", "AuditLog", "Contact", "Customer", "Deal", "DealStage", "User",
]
