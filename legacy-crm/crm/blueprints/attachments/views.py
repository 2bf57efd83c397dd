"""Upload, download and delete. A file is as visible as its customer."""
import inspect
import mimetypes
import os

from flask import abort, current_app, flash, redirect, render_template, request, send_file, url_for
from flask_login import current_user, login_required

from crm import storage
from crm.audit import audit
from crm.blueprints.attachments import bp
from crm.blueprints.attachments.forms import UploadForm
from crm.extensions import db
from crm.models import Attachment
from crm.permissions import customer_or_abort, visible_or_abort

# Flask 2.0 renamed the argument of send_file, 2.2 took the old name away.
NAME_ARGUMENT = "download_name" if "download_name" in inspect.signature(send_file).parameters else "attachment_filename"


def _home_of(attachment):
    if attachment.deal_id is not None:
        return redirect(url_for("deals.detail", deal_id=attachment.deal_id))
    return redirect(url_for("customers.detail", customer_id=attachment.customer_id))


@bp.route("/customers/<int:customer_id>/attachments/new", methods=["GET", "POST"])
@login_required
def upload(customer_id):
    customer = customer_or_abort(customer_id)
    form = UploadForm(deal_id=request.args.get("deal_id", type=int))
    form.offer(customer)
    if form.validate_on_submit():
        stored_name, size = storage.save(form.file.data)
        filename = storage.clean_filename(form.file.data.filename)
        attachment = Attachment(
            customer_id=customer.id,
            deal_id=form.deal_id.data,
            uploaded_by_id=current_user.id,
            filename=filename,
            stored_name=stored_name,
            # What the browser says about the type is not trusted.
            content_type=mimetypes.guess_type(filename)[0] or "application/octet-stream",
            size=size,
        )
        db.session.add(attachment)
        db.session.flush()
        audit("attachment.upload", "attachment", attachment.id, customer_id=customer.id, size=size)
        db.session.commit()
        flash("%s is uploaded." % filename, "success")
        return _home_of(attachment)
    limit = current_app.config["MAX_CONTENT_LENGTH"]
    return render_template("attachments/upload.html", form=form, customer=customer, limit=limit)


@bp.route("/attachments/<int:attachment_id>")
@login_required
def download(attachment_id):
    """Always as a download, never shown by the browser: an uploaded HTML page would act as our own."""
    attachment = visible_or_abort(Attachment, attachment_id)
    path = storage.path_of(attachment.stored_name)
    if not os.path.exists(path):
        current_app.logger.error("the file of attachment %d is missing", attachment.id)
        abort(404)
    response = send_file(
        path, mimetype=attachment.content_type, as_attachment=True, conditional=True, **{NAME_ARGUMENT: attachment.filename}
    )
    # Older Flask says "public, max-age=43200"; these files are for people who are logged in.
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers.pop("Expires", None)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


@bp.route("/attachments/<int:attachment_id>/delete", methods=["POST"])
@login_required
def delete(attachment_id):
    attachment = visible_or_abort(Attachment, attachment_id)
    answer, filename, stored_name = _home_of(attachment), attachment.filename, attachment.stored_name
    audit("attachment.delete", "attachment", attachment.id, customer_id=attachment.customer_id)
    db.session.delete(attachment)
    db.session.commit()
    # After the commit: a file without a row is only waste, a row without a file is an error.
    storage.remove(stored_name)
    flash("%s is deleted." % filename, "success")
    return answer
