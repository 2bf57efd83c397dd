"""Pages of the activities. An activity is as visible as its customer."""
from flask import abort, current_app, flash, jsonify, redirect, render_template, request, url_for
from flask_login import current_user, login_required

from crm.audit import audit
from crm.blueprints.activities import bp
from crm.blueprints.activities.forms import ActivityForm
from crm.blueprints.activities.queries import STATES, ListFilter, due_groups, weeks, with_names
from crm.choices import ask_for_customer, named_customer
from crm.clock import today, utcnow
from crm.extensions import db
from crm.models import Activity, Deal, User
from crm.models.activity import KINDS
from crm.months import Month
from crm.permissions import visible_or_abort


def _wants_everybody():
    """Managers may look at everybody's work; the due list and the calendar begin with one's own."""
    return current_user.sees_everything and request.args.get("who") == "all"


def _home_of(activity):
    if activity.deal_id is not None:
        return redirect(url_for("deals.detail", deal_id=activity.deal_id))
    return redirect(url_for("customers.detail", customer_id=activity.customer_id))


@bp.route("/", endpoint="list")
@login_required
def list_activities():
    shown = ListFilter(request.args)
    pagination = with_names(shown.apply(Activity.visible_to(current_user))).paginate(
        page=request.args.get("page", 1, type=int), per_page=current_app.config["PER_PAGE"]
    )
    return render_template(
        "activities/list.html",
        pagination=pagination,
        shown=shown,
        args=shown.args(),
        kinds=KINDS,
        states=STATES,
        people=User.query.order_by(User.name, User.id).all() if current_user.sees_everything else [],
    )


@bp.route("/due")
@login_required
def due():
    everybody = _wants_everybody()
    groups = due_groups(current_user, mine=not everybody)
    return render_template("activities/due.html", groups=groups, everybody=everybody)


@bp.route("/calendar")
@login_required
def calendar():
    month = Month.parse(request.args.get("month")) or Month.of(today())
    everybody = _wants_everybody()
    return render_template(
        "activities/calendar.html",
        month=month,
        weeks=weeks(current_user, month, mine=not everybody),
        everybody=everybody,
        who={"who": "all"} if everybody else {},
    )


@bp.route("/new", methods=["GET", "POST"])
@login_required
def create():
    """For a customer, or for a deal, which brings its customer along."""
    deal_id = request.args.get("deal_id", type=int)
    deal = visible_or_abort(Deal, deal_id) if deal_id is not None else None
    customer = deal.customer if deal is not None else named_customer()
    if customer is None:
        return ask_for_customer("activities.create", "New activity")
    form = ActivityForm(kind=request.args.get("kind", "call"), deal_id=deal_id)
    form.offer(customer)
    if form.validate_on_submit():
        activity = Activity(customer_id=customer.id, user_id=current_user.id)
        form.save_to(activity)
        db.session.add(activity)
        db.session.flush()
        audit("activity.create", "activity", activity.id, kind=activity.kind, customer_id=customer.id)
        db.session.commit()
        flash("%s is saved." % activity.subject, "success")
        return _home_of(activity)
    return render_template("activities/create.html", form=form, customer=customer, deal=deal)


@bp.route("/<int:activity_id>/edit", methods=["GET", "POST"])
@login_required
def edit(activity_id):
    activity = visible_or_abort(Activity, activity_id)
    form = ActivityForm(obj=activity, done=activity.is_done)
    form.offer(activity.customer)
    if form.validate_on_submit():
        form.save_to(activity)
        audit("activity.edit", "activity", activity.id, kind=activity.kind, customer_id=activity.customer_id)
        db.session.commit()
        flash("%s is saved." % activity.subject, "success")
        return _home_of(activity)
    return render_template("activities/edit.html", form=form, activity=activity)


@bp.route("/<int:activity_id>/done", methods=["POST"])
@login_required
def done(activity_id):
    """Called by crm.js, which sends the CSRF token in a header. Doing it twice is doing it once."""
    activity = visible_or_abort(Activity, activity_id)
    if not activity.is_done:
        activity.done_at = utcnow()
        audit("activity.done", "activity", activity.id, kind=activity.kind, customer_id=activity.customer_id)
        db.session.commit()
    return jsonify(id=activity.id, done=True, done_at=activity.done_at.isoformat(timespec="seconds") + "Z")


@bp.route("/<int:activity_id>/delete", methods=["POST"])
@login_required
def delete(activity_id):
    activity = visible_or_abort(Activity, activity_id)
    if not current_user.sees_everything and activity.user_id != current_user.id:
        abort(403)
    answer = _home_of(activity)
    audit("activity.delete", "activity", activity.id, kind=activity.kind, customer_id=activity.customer_id)
    flash("%s is deleted." % activity.subject, "success")
    db.session.delete(activity)
    db.session.commit()
    return answer
