"""Pages of the deals. A deal is as visible as its customer."""
from flask import abort, flash, redirect, render_template, request, url_for
from flask_login import current_user, login_required
from sqlalchemy.orm import joinedload

from crm.audit import audit
from crm.blueprints.deals import bp
from crm.blueprints.deals.forms import CloseForm, DealForm, LoseForm, MoveForm
from crm.blueprints.deals.queries import CLOSED_DAYS, BoardFilter
from crm.blueprints.deals.queries import board as board_columns
from crm.blueprints.deals.queries import forecast as forecast_periods
from crm.choices import ask_for_customer, named_customer
from crm.clock import utcnow
from crm.extensions import db
from crm.models import Activity, Attachment, Deal, DealStage, User
from crm.permissions import visible_or_abort


def _owners():
    return User.query.order_by(User.name, User.id).all() if current_user.sees_everything else []


def _back_to(deal):
    """The board if that is where the button was, else the page of the deal."""
    if request.form.get("back") == "board":
        return redirect(url_for("deals.board"))
    return redirect(url_for("deals.detail", deal_id=deal.id))


@bp.route("/")
@login_required
def board():
    shown = BoardFilter(request.args)
    columns = board_columns(current_user, shown)
    return render_template(
        "deals/board.html",
        columns=columns,
        open_stages=[column.stage for column in columns if column.stage.status == "open"],
        closed_days=CLOSED_DAYS,
        shown=shown,
        owners=_owners(),
    )


@bp.route("/forecast")
@login_required
def forecast():
    owner_id = request.args.get("owner", type=int)
    periods, everything = forecast_periods(current_user, owner_id)
    largest = max(period.amount for period in periods)
    return render_template(
        "deals/forecast.html",
        periods=periods, everything=everything, largest=largest, owners=_owners(), owner_id=owner_id,
    )


@bp.route("/new", methods=["GET", "POST"])
@login_required
def create():
    customer = named_customer()
    if customer is None:
        return ask_for_customer("deals.create", "New deal")
    form = DealForm()
    form.offer(customer, current_user, current_user if not current_user.sees_everything else customer.owner)
    if form.validate_on_submit():
        deal = Deal(customer_id=customer.id, stage_id=form.stage_id.data)
        form.save_to(deal)
        db.session.add(deal)
        db.session.flush()
        audit("deal.create", "deal", deal.id, title=deal.title, amount=deal.amount)
        db.session.commit()
        flash("%s is saved." % deal.title, "success")
        return redirect(url_for("deals.detail", deal_id=deal.id))
    return render_template("deals/create.html", form=form, customer=customer)


@bp.route("/<int:deal_id>")
@login_required
def detail(deal_id):
    deal = visible_or_abort(Deal, deal_id)
    activities = (
        Activity.query.filter_by(deal_id=deal.id)
        .options(joinedload(Activity.user))
        .order_by(Activity.created_at.desc(), Activity.id.desc())
        .limit(20)
    )
    return render_template(
        "deals/detail.html",
        deal=deal,
        stages=DealStage.in_order().all(),
        activities=activities.all(),
        attachments=Attachment.query.filter_by(deal_id=deal.id).order_by(Attachment.id).all(),
        lose_form=LoseForm(formdata=None),
    )


@bp.route("/<int:deal_id>/edit", methods=["GET", "POST"])
@login_required
def edit(deal_id):
    deal = visible_or_abort(Deal, deal_id)
    form = DealForm(obj=deal)
    form.offer(deal.customer, current_user, deal.owner)
    # The stage has its own buttons, which also know about won and lost.
    del form.stage_id
    if form.validate_on_submit():
        form.save_to(deal)
        audit("deal.edit", "deal", deal.id, title=deal.title, amount=deal.amount)
        db.session.commit()
        flash("%s is saved." % deal.title, "success")
        return redirect(url_for("deals.detail", deal_id=deal.id))
    return render_template("deals/edit.html", form=form, deal=deal)


@bp.route("/<int:deal_id>/stage", methods=["POST"])
@login_required
def move(deal_id):
    """To another open stage. A closed deal is opened again by this."""
    deal = visible_or_abort(Deal, deal_id)
    form = MoveForm()
    form.offer()
    if not form.validate_on_submit():
        abort(400)
    before = deal.stage
    stage = DealStage.query.filter_by(id=form.stage_id.data).one()
    if stage.id != before.id:
        deal.stage = stage
        deal.closed_at = deal.lost_reason = None
        action = "deal.move" if before.status == "open" else "deal.reopen"
        audit(action, "deal", deal.id, **{"from": before.name, "to": stage.name})
        db.session.commit()
        flash("%s is in %s now." % (deal.title, stage.name), "success")
    return _back_to(deal)


def _close(deal, status, form):
    if deal.status != "open":
        flash("%s is closed already." % deal.title, "warning")
    elif not form.validate_on_submit():
        for message in form.reason.errors:
            flash(message, "error")
    else:
        deal.stage = DealStage.query.filter_by(status=status).one()
        deal.closed_at = utcnow()
        deal.lost_reason = form.reason.data if status == "lost" else None
        audit("deal.%s" % status, "deal", deal.id, amount=deal.amount, reason=form.reason.data)
        db.session.commit()
        flash("%s is %s." % (deal.title, status), "success")
    return _back_to(deal)


@bp.route("/<int:deal_id>/win", methods=["POST"])
@login_required
def win(deal_id):
    return _close(visible_or_abort(Deal, deal_id), "won", CloseForm())


@bp.route("/<int:deal_id>/lose", methods=["POST"])
@login_required
def lose(deal_id):
    return _close(visible_or_abort(Deal, deal_id), "lost", LoseForm())
