"""API tokens: list, create, revoke. A token is shown once, in the answer that made it, and never stored."""
from flask import flash, make_response, redirect, render_template, url_for
from sqlalchemy.orm import joinedload

from crm.audit import audit
from crm.blueprints.admin import bp
from crm.blueprints.admin.forms import TokenForm
from crm.clock import utcnow
from crm.extensions import db
from crm.models import ApiToken, User
from crm.permissions import roles_required


@bp.route("/tokens", methods=["GET", "POST"])
@roles_required("admin")
def tokens():
    form = TokenForm()
    form.offer()
    made = None
    if form.validate_on_submit():
        row, made = ApiToken.issue(User.query.filter_by(id=form.user_id.data).one(), form.name.data)
        db.session.add(row)
        db.session.flush()
        audit("token.create", "api_token", row.id, user_id=row.user_id, name=row.name)
        db.session.commit()
    rows = ApiToken.query.options(joinedload(ApiToken.user)).order_by(ApiToken.revoked_at.isnot(None), ApiToken.id.desc())
    page = make_response(render_template("admin/tokens.html", form=form, tokens=rows.all(), made=made))
    if made:
        # No redirect: a flashed message would carry the token in the session cookie.
        page.headers["Cache-Control"] = "no-store"
    return page


@bp.route("/tokens/<int:token_id>/revoke", methods=["POST"])
@roles_required("admin")
def revoke_token(token_id):
    token = ApiToken.query.filter_by(id=token_id).first_or_404()
    if token.revoked_at is None:
        token.revoked_at = utcnow()
        audit("token.revoke", "api_token", token.id, user_id=token.user_id, name=token.name)
        db.session.commit()
    flash("%s is revoked." % token.name, "success")
    return redirect(url_for("admin.tokens"))
