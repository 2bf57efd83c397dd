"""Pages of the contacts. E-mail and phone are encrypted by the model; the audit log never sees them."""
from flask import flash, redirect, render_template, url_for
from flask_login import login_required

from crm.audit import audit
from crm.blueprints.contacts import bp
from crm.blueprints.contacts.forms import ContactForm
from crm.extensions import db
from crm.models import Activity, Contact, Deal
from crm.permissions import customer_or_abort, visible_or_abort


@bp.route("/customers/<int:customer_id>/contacts/new", methods=["GET", "POST"])
@login_required
def create(customer_id):
    customer = customer_or_abort(customer_id)
    form = ContactForm()
    if form.validate_on_submit():
        contact = Contact(customer_id=customer.id)
        form.save_to(contact)
        db.session.add(contact)
        db.session.flush()
        audit("contact.create", "contact", contact.id, customer_id=customer.id)
        db.session.commit()
        flash("%s is saved." % contact.name, "success")
        return redirect(url_for("customers.detail", customer_id=customer.id))
    return render_template("contacts/create.html", form=form, customer=customer)


@bp.route("/contacts/<int:contact_id>/edit", methods=["GET", "POST"])
@login_required
def edit(contact_id):
    contact = visible_or_abort(Contact, contact_id)
    form = ContactForm(obj=contact)
    if form.validate_on_submit():
        form.save_to(contact)
        audit("contact.edit", "contact", contact.id, customer_id=contact.customer_id)
        db.session.commit()
        flash("%s is saved." % contact.name, "success")
        return redirect(url_for("customers.detail", customer_id=contact.customer_id))
    return render_template("contacts/edit.html", form=form, contact=contact, customer=contact.customer)


@bp.route("/contacts/<int:contact_id>/delete", methods=["POST"])
@login_required
def delete(contact_id):
    contact = visible_or_abort(Contact, contact_id)
    customer_id, name = contact.customer_id, contact.name
    for model in (Deal, Activity):
        model.query.filter_by(contact_id=contact.id).update({"contact_id": None}, synchronize_session=False)
    db.session.delete(contact)
    audit("contact.delete", "contact", contact_id, customer_id=customer_id)
    db.session.commit()
    flash("%s is deleted." % name, "success")
    return redirect(url_for("customers.detail", customer_id=customer_id))
