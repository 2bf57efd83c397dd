"""Pages of the customers."""
from flask import Response, current_app, flash, redirect, render_template, request, stream_with_context, url_for
from flask_login import current_user, login_required
from sqlalchemy.orm import joinedload

from crm.audit import audit
from crm.blueprints.customers import bp
from crm.blueprints.customers.exchange import Import, ImportRefused, export_chunks
from crm.blueprints.customers.forms import CustomerForm, ImportForm
from crm.blueprints.customers.queries import ListFilter
from crm.extensions import db
from crm.models import Activity, Customer, User
from crm.models.customer import INDUSTRIES, STATUSES
from crm.permissions import customer_or_abort


@bp.route("/", endpoint="list")
@login_required
def list_customers():
    shown = ListFilter(request.args)
    pagination = shown.apply(Customer.visible_to(current_user)).paginate(
        page=request.args.get("page", 1, type=int), per_page=current_app.config["PER_PAGE"]
    )
    return render_template(
        "customers/list.html",
        pagination=pagination,
        shown=shown,
        filters=shown.filters(),
        args=shown.args(),
        owners=User.query.order_by(User.name, User.id).all() if current_user.sees_everything else [],
        statuses=STATUSES,
        industries=INDUSTRIES,
    )


@bp.route("/<int:customer_id>")
@login_required
def detail(customer_id):
    customer = customer_or_abort(customer_id)
    activities = customer.activities.order_by(Activity.created_at.desc(), Activity.id.desc()).limit(10).all()
    return render_template("customers/detail.html", customer=customer, activities=activities)


@bp.route("/new", methods=["GET", "POST"])
@login_required
def create():
    form = CustomerForm()
    form.offer_owners(current_user)
    if form.validate_on_submit():
        customer = Customer()
        form.save_to(customer)
        db.session.add(customer)
        db.session.flush()
        audit("customer.create", "customer", customer.id, name=customer.name)
        db.session.commit()
        flash("%s is saved." % customer.name, "success")
        return redirect(url_for("customers.detail", customer_id=customer.id))
    return render_template("customers/create.html", form=form)


@bp.route("/<int:customer_id>/edit", methods=["GET", "POST"])
@login_required
def edit(customer_id):
    customer = customer_or_abort(customer_id)
    form = CustomerForm(obj=customer)
    form.offer_owners(current_user, customer.owner)
    if form.validate_on_submit():
        form.save_to(customer)
        audit("customer.edit", "customer", customer.id, name=customer.name)
        db.session.commit()
        flash("%s is saved." % customer.name, "success")
        return redirect(url_for("customers.detail", customer_id=customer.id))
    return render_template("customers/edit.html", form=form, customer=customer)


@bp.route("/<int:customer_id>/archive", methods=["POST"])
@login_required
def archive(customer_id):
    customer = customer_or_abort(customer_id)
    if not customer.is_archived:
        customer.archive()
        audit("customer.archive", "customer", customer.id, name=customer.name)
        db.session.commit()
    flash("%s is archived." % customer.name, "success")
    return redirect(url_for("customers.list"))


@bp.route("/import", methods=["GET", "POST"])
@login_required
def import_csv():
    form = ImportForm()
    result = refused = None
    if form.validate_on_submit():
        try:
            result = Import(current_user).run(form.file.data.read())
            db.session.commit()
        except ImportRefused as error:
            refused = str(error)
        if result is not None and not result.errors:
            flash("%d customers are imported." % result.created, "success")
            return redirect(url_for("customers.list", sort="created", dir="desc"))
    return render_template("customers/import_csv.html", form=form, result=result, refused=refused)


@bp.route("/export.csv")
@login_required
def export():
    shown = ListFilter(request.args)
    query = shown.apply(Customer.visible_to(current_user)).options(joinedload(Customer.owner))
    audit("customer.export", "customer", None, **shown.args())
    db.session.commit()
    return Response(
        stream_with_context(export_chunks(query)),
        mimetype="text/csv",
        headers={"Content-Disposition": "attachment; filename=customers.csv"},
    )
