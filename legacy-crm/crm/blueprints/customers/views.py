"""Pages of the customers."""
from flask import current_app, render_template, request
from flask_login import current_user, login_required

from crm.blueprints.customers import bp
from crm.blueprints.customers.queries import ListFilter
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
