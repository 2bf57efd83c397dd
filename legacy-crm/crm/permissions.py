"""Who may do what. Reps work on their own customers only; managers and admins see everything."""
from functools import wraps

from flask import abort
from flask_login import current_user, login_required

from crm.models import Customer


def roles_required(*roles):
    """View decorator: log in first, then have one of the roles, else 403."""
    def decorate(view):
        @wraps(view)
        @login_required
        def wrapped(*args, **kwargs):
            if current_user.role not in roles:
                abort(403)
            return view(*args, **kwargs)
        return wrapped
    return decorate


def can_see(user, customer):
    return user.sees_everything or customer.owner_id == user.id


def customer_or_abort(customer_id):
    """The customer for a page: 404 when it does not exist, 403 when it is somebody else's."""
    customer = Customer.query.filter_by(id=customer_id).first_or_404()
    if not can_see(current_user, customer):
        abort(403)
    return customer


def visible_or_abort(model, row_id):
    """The same for rows that belong to a customer: contacts, deals, activities, attachments."""
    row = model.query.filter_by(id=row_id).first_or_404()
    if not can_see(current_user, row.customer):
        abort(403)
    return row
