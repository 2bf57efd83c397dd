"""Find a contact, export what we know, rectify it, erase it. Every step leaves an audit entry without names."""
import json

from flask import Response, flash, redirect, render_template, request, url_for

from crm.audit import audit
from crm.blueprints.gdpr import bp, subject
from crm.blueprints.gdpr.forms import EraseForm, RectifyForm
from crm.extensions import db
from crm.models import Contact
from crm.permissions import roles_required

COLUMNS = ("name", "title", "email", "phone")


def _contact_or_404(contact_id):
    return Contact.query.filter_by(id=contact_id).first_or_404()


@bp.route("/")
@roles_required("admin", "manager")
def index():
    q = request.args.get("q", "").strip()
    return render_template("gdpr/index.html", q=q, contacts=subject.find(q) if q else [])


@bp.route("/contacts/<int:contact_id>/export")
@roles_required("admin", "manager")
def export(contact_id):
    contact = _contact_or_404(contact_id)
    text = json.dumps(subject.everything_about(contact), ensure_ascii=False, indent=2)
    audit("gdpr.export", "contact", contact.id)
    db.session.commit()
    return Response(
        text + "\n",
        mimetype="application/json",
        headers={
            "Content-Disposition": "attachment; filename=contact-%d.json" % contact_id,
            "Cache-Control": "no-store",
        },
    )


@bp.route("/contacts/<int:contact_id>/rectify", methods=["GET", "POST"])
@roles_required("admin", "manager")
def rectify(contact_id):
    contact = _contact_or_404(contact_id)
    form = RectifyForm(obj=contact)
    if form.validate_on_submit():
        before = [getattr(contact, name) for name in COLUMNS]
        form.save_to(contact)
        changed = [name for name, old in zip(COLUMNS, before) if getattr(contact, name) != old]
        audit("gdpr.rectify", "contact", contact.id, fields=changed, reason=form.reason.data)
        db.session.commit()
        flash("The data of %s is corrected." % contact.name, "success")
        return redirect(url_for("gdpr.index", q=contact.name))
    return render_template("gdpr/rectify.html", form=form, contact=contact)


@bp.route("/contacts/<int:contact_id>/erase", methods=["GET", "POST"])
@roles_required("admin", "manager")
def erase(contact_id):
    """The files of deals with this contact are chosen beforehand; others of the customer can be."""
    contact = _contact_or_404(contact_id)
    attachments = subject.attachments_of_customer(contact)
    form = EraseForm(files=[attachment.id for attachment in subject.own_attachments(contact)])
    form.offer(attachments)
    if form.validate_on_submit():
        activities, stored_names = subject.erase(contact, form.files.data)
        audit("gdpr.erase", "contact", contact.id, activities=activities, files=len(stored_names))
        db.session.commit()
        subject.remove_files(stored_names)
        flash("The contact is erased.", "success")
        return redirect(url_for("gdpr.index"))
    return render_template(
        "gdpr/erase.html",
        form=form,
        contact=contact,
        attachments=attachments,
        mentions=subject.mentions(contact),
        erased=subject.is_erased(contact),
    )
