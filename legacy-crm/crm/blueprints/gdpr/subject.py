"""All that the database knows about one contact: collect it, and erase it.

Erasing keeps rows that statistics and other people's histories need, without anything that says who it was.
"""
from crm import storage
from crm.extensions import db
from crm.models import Activity, Attachment, AuditLog, Contact, Deal
from crm.search import contains

ERASED_NAME = "Erased contact"
ERASED_SUBJECT = "Erased"
FOUND_LIMIT = 50


def find(text):
    """Contacts by name or, when there is an @ in it, by e-mail; those are encrypted, so all of them are opened."""
    if "@" not in text:
        query = Contact.query.filter(contains(text, Contact.name), Contact.name != ERASED_NAME)
        return query.order_by(Contact.name, Contact.id).limit(FOUND_LIMIT).all()
    rows = db.session.query(Contact.id, Contact.email).filter(Contact.email.isnot(None))
    wanted = text.lower()
    ids = [contact_id for contact_id, email in rows if wanted in email.lower()][:FOUND_LIMIT]
    return Contact.query.filter(Contact.id.in_(ids)).order_by(Contact.name, Contact.id).all() if ids else []


def is_erased(contact):
    return contact.name == ERASED_NAME and contact.email is None and contact.phone is None


def _deals(contact):
    return Deal.query.filter_by(contact_id=contact.id).order_by(Deal.id).all()


def _activities(contact):
    return Activity.query.filter_by(contact_id=contact.id).order_by(Activity.id).all()


def attachments_of_customer(contact):
    return Attachment.query.filter_by(customer_id=contact.customer_id).order_by(Attachment.id).all()


def own_attachments(contact):
    """The files of deals that were made with this contact."""
    deal_ids = [deal.id for deal in _deals(contact)]
    return [attachment for attachment in attachments_of_customer(contact) if attachment.deal_id in deal_ids]


def mentions(contact):
    """Where else the name stands in free text of the same customer; a person has to read these."""
    found = []
    customer = contact.customer
    if contains_name(customer.notes, contact.name):
        found.append(("customer", customer.id, "Notes of %s" % customer.name))
    deals = Deal.query.filter_by(customer_id=customer.id).filter(contains(contact.name, Deal.title, Deal.lost_reason))
    found.extend(("deal", deal.id, deal.title) for deal in deals.order_by(Deal.id))
    activities = Activity.query.filter_by(customer_id=customer.id).filter(
        contains(contact.name, Activity.subject, Activity.body),
        db.or_(Activity.contact_id.is_(None), Activity.contact_id != contact.id),
    )
    found.extend(("activity", activity.id, activity.subject) for activity in activities.order_by(Activity.id))
    return found


def contains_name(text, name):
    return bool(text) and name.lower() in text.lower()


def _time(value):
    return value.isoformat(timespec="seconds") + "Z" if value else None


def everything_about(contact):
    """A dict of plain values for the export."""
    log = AuditLog.query.filter_by(entity="contact", entity_id=contact.id).order_by(AuditLog.id)
    return {
        "contact": {
            "id": contact.id,
            "name": contact.name,
            "title": contact.title,
            "email": contact.email,
            "phone": contact.phone,
            "works_for": contact.customer.name,
            "created_at": _time(contact.created_at),
            "updated_at": _time(contact.updated_at),
        },
        "deals": [
            {
                "title": deal.title,
                "amount": str(deal.amount),
                "stage": deal.stage.name,
                "created_at": _time(deal.created_at),
                "closed_at": _time(deal.closed_at),
            }
            for deal in _deals(contact)
        ],
        "activities": [
            {
                "kind": activity.kind,
                "subject": activity.subject,
                "body": activity.body,
                "due_at": _time(activity.due_at),
                "done_at": _time(activity.done_at),
                "created_at": _time(activity.created_at),
            }
            for activity in _activities(contact)
        ],
        "files": [
            {"filename": attachment.filename, "size": attachment.size, "created_at": _time(attachment.created_at)}
            for attachment in own_attachments(contact)
        ],
        "processing": [{"action": entry.action, "at": _time(entry.created_at)} for entry in log],
    }


def erase(contact, file_ids):
    """Anonymise the contact; return (activities, names of files to remove after the commit)."""
    contact.name = ERASED_NAME
    contact.title = contact.email = contact.phone = None
    activities = _activities(contact)
    for activity in activities:
        activity.subject = ERASED_SUBJECT
        activity.body = None
    files = [attachment for attachment in attachments_of_customer(contact) if attachment.id in file_ids]
    stored_names = [attachment.stored_name for attachment in files]
    for attachment in files:
        db.session.delete(attachment)
    return len(activities), stored_names


def remove_files(stored_names):
    for stored_name in stored_names:
        storage.remove(stored_name)
