"""The audit log: who did what to which row. Entries are committed together with the change they describe."""
import json

from flask import g, has_request_context, request
from flask_login import current_user

from crm.extensions import db
from crm.models.audit import AuditLog


def _actor_id():
    if not has_request_context():
        return None
    user = g.get("api_user")
    if user is None and current_user.is_authenticated:
        user = current_user
    return user.id if user is not None else None


def audit(action, entity, entity_id=None, **detail):
    """Add an entry such as audit("customer.create", "customer", 7, name="ACME"); the caller commits.

    Detail must not hold passwords, tokens or the personal data of a contact.
    """
    entry = AuditLog(
        user_id=_actor_id(),
        action=action,
        entity=entity,
        entity_id=entity_id,
        detail=json.dumps(detail, sort_keys=True, default=str) if detail else None,
        ip=request.remote_addr if has_request_context() else None,
    )
    db.session.add(entry)
    return entry
