"""People: list, create, edit, deactivate. Nobody changes the own role or access, so one admin always stays."""
from flask import abort, flash, redirect, render_template, request, url_for
from flask_login import current_user

from crm.audit import audit
from crm.blueprints.admin import bp
from crm.blueprints.admin.forms import CreateUserForm, DeactivateForm, EditUserForm
from crm.extensions import db
from crm.models import ROLES, Customer, Deal, DealStage, User
from crm.permissions import roles_required


def _user_or_404(user_id):
    return User.query.filter_by(id=user_id).first_or_404()


@bp.route("/users")
@roles_required("admin")
def users():
    role = request.args.get("role") if request.args.get("role") in ROLES else ""
    query = User.query.order_by(User.active.desc(), User.name, User.id)
    if role:
        query = query.filter_by(role=role)
    owned = db.session.query(Customer.owner_id, db.func.count(Customer.id)).group_by(Customer.owner_id)
    counts = {owner_id: count for owner_id, count in owned}
    return render_template("admin/users.html", users=query.all(), counts=counts, role=role, roles=ROLES)


@bp.route("/users/new", methods=["GET", "POST"])
@roles_required("admin")
def create_user():
    form = CreateUserForm()
    if form.validate_on_submit():
        user = User(name=form.name.data, email=form.email.data.lower(), role=form.role.data)
        user.set_password(form.password.data)
        db.session.add(user)
        db.session.flush()
        audit("user.create", "user", user.id, role=user.role)
        db.session.commit()
        flash("%s can log in now." % user.name, "success")
        return redirect(url_for("admin.users"))
    return render_template("admin/create_user.html", form=form)


@bp.route("/users/<int:user_id>/edit", methods=["GET", "POST"])
@roles_required("admin")
def edit_user(user_id):
    user = _user_or_404(user_id)
    form = EditUserForm(obj=user)
    if user.id == current_user.id:
        del form.role
        del form.active
    if form.validate_on_submit():
        before = {"role": user.role, "active": user.active}
        form.populate_obj(user)
        after = {"role": user.role, "active": user.active}
        audit("user.edit", "user", user.id, before=before, after=after)
        db.session.commit()
        flash("%s is saved." % user.name, "success")
        return redirect(url_for("admin.users"))
    deactivate_form = DeactivateForm(formdata=None)
    deactivate_form.offer(user)
    owned = Customer.query.filter_by(owner_id=user.id).count()
    return render_template(
        "admin/edit_user.html", form=form, user=user, deactivate_form=deactivate_form, owned=owned
    )


def _hand_over(leaving, successor_id):
    """Customers and open deals go to the successor; what is closed stays in the statistics of who closed it."""
    open_stages = [stage.id for stage in DealStage.query.filter_by(status="open")]
    deals = Deal.query.filter(Deal.owner_id == leaving.id, Deal.stage_id.in_(open_stages))
    customers = Customer.query.filter_by(owner_id=leaving.id)
    return [query.update({"owner_id": successor_id}, synchronize_session=False) for query in (customers, deals)]


@bp.route("/users/<int:user_id>/deactivate", methods=["POST"])
@roles_required("admin")
def deactivate_user(user_id):
    user = _user_or_404(user_id)
    form = DeactivateForm()
    form.offer(user)
    if user.id == current_user.id or not form.validate_on_submit():
        abort(400)
    detail = {}
    if form.successor_id.data is not None:
        customers, deals = _hand_over(user, form.successor_id.data)
        detail = {"successor_id": form.successor_id.data, "customers": customers, "deals": deals}
    user.active = False
    audit("user.deactivate", "user", user.id, **detail)
    db.session.commit()
    flash("%s cannot log in any more." % user.name, "success")
    return redirect(url_for("admin.users"))
