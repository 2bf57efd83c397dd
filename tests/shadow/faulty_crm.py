"""The CRM with one mistake at a time, as somebody makes it who writes the views anew: the real source of a function, a
template or a setting is changed in one place. Runs under gunicorn in an environment of the CRM, never anywhere else.

`GET /__fault__/` lists the faults, `GET /__fault__/NAME` commits one and takes the one before back.
"""

import copy
import importlib
import inspect
import json
import sys
import textwrap
import traceback
from unittest import mock

from flask import session
from flask_login import current_user
from flask_restful import fields as restful
from jinja2 import FunctionLoader

from crm import create_app
from crm.blueprints.api import activities as api_activities
from crm.blueprints.api import deals as api_deals
from crm.blueprints.api import fields, lookup, resources
from crm.models import Customer

app = create_app()
FAULTS = {}
after_hooks = []


def view(endpoint):
    """The module of a view."""
    return importlib.import_module(inspect.unwrap(app.view_functions[endpoint]).__module__)


class Bench:
    """Commits one fault; `undo` takes everything back."""

    def __init__(self):
        self._undo = []

    def patch(self, owner, name, new):
        patcher = mock.patch.object(owner, name, new)
        patcher.start()
        self._undo.append(patcher.stop)

    def entries(self, mapping, **new):
        patcher = mock.patch.dict(mapping, new)
        patcher.start()
        self._undo.append(patcher.stop)

    def mutate(self, owner, name, old, new):
        """The function `name` as `owner` sees it, with another source."""
        kept = inspect.getattr_static(owner, name)
        function = getattr(kept, "__func__", None) or getattr(kept, "fget", None) or kept
        made = self._made(function, old, new, keep=())
        if isinstance(kept, (classmethod, property)):
            made = type(kept)(made)
        self.patch(owner, name, made)

    def view(self, endpoint, old, new):
        """A view with another source."""
        function = inspect.unwrap(app.view_functions[endpoint])
        made = self._made(function, old, new, keep=("@login_required", "@roles_required"))
        self.entries(app.view_functions, **{endpoint: made})

    def template(self, name, old, new):
        """A template with another source."""
        environment = app.jinja_env
        loader = environment.loader
        text = loader.get_source(environment, name)[0]
        assert old in text, f"{name} has no {old!r}"

        def load(asked):
            return text.replace(old, new) if asked == name else loader.get_source(environment, asked)[0]

        self.patch(environment, "loader", FunctionLoader(load))
        environment.cache.clear()
        self._undo.append(environment.cache.clear)

    def after(self, hook):
        """`hook(response)` after every request."""
        after_hooks.append(hook)
        self._undo.append(after_hooks.clear)

    def undo(self):
        while self._undo:
            self._undo.pop()()
        app.jinja_env.cache.clear()

    @staticmethod
    def _made(function, old, new, keep):
        lines = textwrap.dedent(inspect.getsource(function)).splitlines(keepends=True)
        start = next(number for number, line in enumerate(lines) if line.startswith("def "))
        decorators = [line for line in lines[:start] if line.startswith(keep)] if keep else []
        source = "".join(decorators + lines[start:])
        assert old in source, f"{function.__qualname__} has no {old!r}"
        made = {}
        exec(compile(source.replace(old, new), "<fault>", "exec"), vars(sys.modules[function.__module__]), made)
        return made[function.__name__]


def fault(*routes):
    def register(function):
        FAULTS[function.__name__] = (routes, function)
        return function
    return register


LIST, DETAIL = "customers.list", "customers.detail"
EXPORT, MONTHLY, DASHBOARD = "customers.export", "reports.monthly", "reports.dashboard"


# --- which rows -----------------------------------------------------------------------------------------------------------

@fault(LIST, "api.customers")
def reps_see_everybodys_customers(bench):
    bench.mutate(Customer, "visible_to", "if not user.sees_everything:", "if False:")


@fault(LIST)
def the_archived_are_listed_too(bench):
    bench.mutate(view(LIST).ListFilter, "apply", '!= "archived"', '!= "deleted"')


@fault(LIST)
def searching_minds_the_case(bench):
    bench.mutate(queries("customers"), "contains", "column.ilike(", "column.like(")


@fault(LIST)
def wildcards_work_in_the_search(bench):
    bench.mutate(queries("customers"), "contains", '.replace("%", "\\\\%").replace("_", "\\\\_")', "")


@fault(LIST)
def the_search_forgets_the_city(bench):
    bench.mutate(view(LIST).ListFilter, "apply", "Customer.name, Customer.city,", "Customer.name,")


@fault(LIST)
def the_owner_filter_is_lost(bench):
    bench.mutate(view(LIST).ListFilter, "apply", "if self.owner_id is not None:", "if False:")


@fault("deals.forecast")
def the_forecast_ignores_the_owner(bench):
    bench.mutate(view("deals.forecast"), "forecast_periods", "if owner_id is not None:", "if False:")


@fault("activities.list")
def the_kind_filter_is_lost(bench):
    bench.mutate(view("activities.list").ListFilter, "apply", "if self.kind:", "if False:")


@fault("activities.list")
def notes_count_as_open_work(bench):
    bench.mutate(view("activities.list").ListFilter, "apply", ', Activity.kind != "note"', "")


@fault("activities.due")
def everybodys_work_is_due(bench):
    bench.mutate(view("activities.due"), "due_groups", "if mine:", "if False:")


@fault("api.deals")
def the_api_ignores_the_status_of_deals(bench):
    bench.mutate(api_deals.DealList, "get", 'if args["status"]:', "if False:")


@fault("api.activities")
def done_false_means_not_given(bench):
    bench.mutate(api_activities.ActivityList, "get", 'if args["done"] is not None:', 'if args["done"]:')


@fault("api.search")
def the_api_search_has_no_limit(bench):
    bench.patch(lookup, "LIMIT", 1000)


@fault("admin.users")
def the_role_filter_is_lost(bench):
    bench.view("admin.users", "if role:", "if False:")


@fault("admin.audit_log")
def managers_read_the_audit_log(bench):
    bench.view("admin.audit_log", '@roles_required("admin")', '@roles_required("admin", "manager")')


@fault("gdpr.index")
def managers_are_kept_out(bench):
    bench.view("gdpr.index", '@roles_required("admin", "manager")', '@roles_required("admin")')


# --- order and pages ------------------------------------------------------------------------------------------------------

@fault(LIST)
def equal_rows_come_in_any_order(bench):
    bench.mutate(view(LIST).ListFilter, "apply", "column.asc(), Customer.id.asc()", "column.asc(), Customer.id.desc()")


@fault(LIST)
def twenty_rows_to_a_page(bench):
    bench.view(LIST, 'per_page=current_app.config["PER_PAGE"]', "per_page=20")


@fault(LIST)
def past_the_end_is_an_empty_page(bench):
    bench.view(LIST, 'per_page=current_app.config["PER_PAGE"]', 'per_page=current_app.config["PER_PAGE"], error_out=False')


@fault(LIST)
def a_page_that_is_no_number_is_an_error(bench):
    bench.view(LIST, 'page=request.args.get("page", 1, type=int)', 'page=int(request.args.get("page", 1))')


@fault(DETAIL)
def eleven_recent_activities(bench):
    bench.view(DETAIL, "limit(10)", "limit(11)")


@fault(DETAIL)
def activities_by_number_instead_of_time(bench):
    bench.view(DETAIL, "Activity.created_at.desc(), Activity.id.desc()", "Activity.id.desc()")


@fault(DETAIL)
def contacts_in_the_order_they_were_made(bench):
    bench.template("customers/detail.html", "in customer.contacts %", "in customer.contacts|sort(attribute='id') %")


@fault("deals.board")
def ten_cards_on_the_board(bench):
    bench.patch(queries("deals"), "CARDS_PER_STAGE", 10)


@fault("deals.detail")
def stages_by_name(bench):
    bench.view("deals.detail", "DealStage.in_order()", "DealStage.query.order_by(DealStage.name)")


@fault("activities.calendar")
def the_week_begins_on_sunday(bench):
    bench.mutate(view("activities.calendar"), "weeks", "firstweekday=0", "firstweekday=6")


@fault(MONTHLY)
def the_trend_runs_backwards(bench):
    bench.mutate(importlib.import_module("crm.blueprints.reports.monthly"), "_trend", "return rows[::-1]", "return rows")


@fault(DASHBOARD)
def seven_top_customers(bench):
    bench.patch(importlib.import_module("crm.blueprints.reports.dashboard"), "TOP_CUSTOMERS", 7)


@fault("admin.audit_log")
def the_last_day_is_left_out(bench):
    bench.mutate(view("admin.audit_log").LogFilter, "apply", " + timedelta(days=1)", "")


@fault("api.customers")
def behind_the_last_page_is_not_found(bench):
    bench.mutate(importlib.import_module("crm.blueprints.api.customers"), "page_of", ", error_out=False", "")


# --- numbers and times ----------------------------------------------------------------------------------------------------

@fault("deals.forecast")
def amounts_are_cut_instead_of_rounded(bench):
    def cut(value):
        return "–" if value is None else "€{:,}.{:02d}".format(int(value), int(value * 100) % 100)
    bench.entries(app.jinja_env.filters, money=cut)


@fault(LIST, DETAIL)
def no_revenue_is_zero(bench):
    money = app.jinja_env.filters["money"]
    bench.entries(app.jinja_env.filters, money=lambda value: money(value or 0))


@fault(LIST, DETAIL)
def won_deals_count_as_open(bench):
    bench.mutate(Customer, "open_deal_total", 'if deal.status == "open"', 'if deal.status != "lost"')


@fault("deals.forecast")
def the_forecast_is_a_month_late(bench):
    bench.mutate(view("deals.forecast"), "forecast_periods", "Month.of(close).key", "Month.of(close).next.key")


@fault("deals.board")
def closed_deals_stay_on_the_board(bench):
    bench.mutate(view("deals.board"), "board_columns", "query.filter(Deal.closed_at >= since)", "query")


@fault(DETAIL)
def times_are_local(bench):
    moment = app.jinja_env.filters["datetime"]
    hours = importlib.import_module("datetime").timedelta(hours=1)
    bench.entries(app.jinja_env.filters, datetime=lambda value: moment(value and value + hours))


@fault(MONTHLY)
def won_and_lost_are_swapped(bench):
    bench.mutate(view(MONTHLY), "make_monthly", '"lost_amount": _sum(lost)', '"lost_amount": _sum(won)')


@fault(DASHBOARD)
def two_columns_are_swapped(bench):
    bench.mutate(
        importlib.import_module("crm.blueprints.reports.dashboard"), "_team", '"won_amount": sum((deal.amount for deal in won)',
        '"won_amount": sum((deal.amount for deal in _open(deals))',
    )


@fault("api.customers", "api.customer")
def money_is_a_number(bench):
    for known in (fields.CUSTOMER, fields.CUSTOMER_WITH_CONTACTS):
        bench.entries(known, annual_revenue=restful.Float)


@fault("api.customers", "api.customer")
def times_in_the_form_of_mails(bench):
    for known in (fields.CUSTOMER, fields.CUSTOMER_WITH_CONTACTS):
        bench.entries(known, created_at=restful.DateTime(dt_format="rfc822"))


@fault("gdpr.export")
def deals_are_exported_as_floats(bench):
    subject = importlib.import_module("crm.blueprints.gdpr.subject")
    bench.mutate(subject, "everything_about", "str(deal.amount)", "float(deal.amount)")


# --- what is cached or forgotten ------------------------------------------------------------------------------------------

@fault(DETAIL)
def a_page_is_kept_for_too_long(bench):
    kept, fresh = {}, app.view_functions[DETAIL]

    def stale(customer_id):
        key = (current_user.get_id(), customer_id)
        if key not in kept:
            kept[key] = fresh(customer_id=customer_id)
        return copy.copy(kept[key])

    bench.entries(app.view_functions, **{DETAIL: stale})


@fault(DASHBOARD)
def one_report_for_everybody(bench):
    bench.entries(app.config, REPORT_CACHE_SECONDS=600)
    bench.mutate(importlib.import_module("crm.blueprints.reports.caching"), "scope_of", 'else "user-%d" % user.id', 'else "all"')


@fault(EXPORT)
def the_export_is_not_audited(bench):
    bench.view(EXPORT, 'audit("customer.export", "customer", None, **shown.args())', "pass")


# --- forms ----------------------------------------------------------------------------------------------------------------

@fault("auth.profile")
def the_profile_form_is_empty(bench):
    bench.view("auth.profile", "ProfileForm(obj=current_user)", "ProfileForm()")


@fault("admin.edit_user")
def a_checkbox_forgets_its_state(bench):
    bench.view("admin.edit_user", "EditUserForm(obj=user)", "EditUserForm(name=user.name, role=user.role)")


@fault("customers.edit")
def an_edit_form_offers_the_wrong_owner(bench):
    bench.view("customers.edit", "form.offer_owners(current_user, customer.owner)",
               "form.offer_owners(current_user, customer.owner)\n    form.owner_id.data = current_user.id")


@fault("auth.login")
def people_are_remembered_unasked(bench):
    bench.view("auth.login", "form = LoginForm()", "form = LoginForm(remember=True)")


@fault("auth.login")
def who_is_logged_in_logs_in_again(bench):
    bench.view("auth.login", "if current_user.is_authenticated:", "if False:")


# --- links, templates, redirects ------------------------------------------------------------------------------------------

@fault(LIST)
def sorting_drops_the_filters(bench):
    bench.template("customers/list.html", "sort=key, dir='asc', **filters", "sort=key, dir='asc'")


@fault(LIST)
def the_pager_drops_the_search(bench):
    bench.template("macros.html", "page=pagination.next_num, **args", "page=pagination.next_num")


@fault(LIST)
def the_search_is_not_escaped(bench):
    bench.template("customers/list.html", 'value="{{ shown.q }}"', 'value="{{ shown.q|safe }}"')


@fault(DETAIL)
def a_link_lost_its_rel(bench):
    bench.template("customers/detail.html", ' rel="noopener noreferrer"', "")


@fault(DETAIL)
def the_archived_can_be_archived(bench):
    bench.template("customers/detail.html", "{% if not customer.is_archived %}", "{% if true %}")


@fault(DETAIL)
def somebody_elses_customer_is_not_found(bench):
    bench.mutate(view(DETAIL), "customer_or_abort", "abort(403)", "abort(404)")


@fault("main.index")
def home_is_the_list(bench):
    bench.view("main.index", 'if "reports.dashboard" in current_app.view_functions:', "if False:")


# --- sessions and cookies -------------------------------------------------------------------------------------------------

@fault(LIST)
def a_message_has_another_category(bench):
    bench.patch(app.login_manager, "login_message_category", "message")


@fault(LIST)
def nobody_is_told_to_log_in(bench):
    bench.patch(app.login_manager, "login_message", None)


@fault(LIST)
def a_key_of_the_session_is_lost(bench):
    bench.after(lambda response: session.pop("_id", None))


@fault(LIST)
def another_csrf_secret(bench):
    bench.after(lambda response: "csrf_token" in session and session.update(csrf_token="0" * 40))


@fault(LIST)
def scripts_may_read_the_session_cookie(bench):
    bench.entries(app.config, SESSION_COOKIE_HTTPONLY=False)


@fault(LIST)
def the_session_cookie_is_for_one_folder(bench):
    bench.entries(app.config, SESSION_COOKIE_PATH="/customers")


@fault(LIST)
def the_session_ends_with_the_month(bench):
    bench.after(lambda response: setattr(session, "permanent", True))


# --- files, headers, errors -----------------------------------------------------------------------------------------------

@fault(EXPORT)
def lines_end_as_on_unix(bench):
    bench.mutate(view(EXPORT), "export_chunks", "csv.writer(buffer)", 'csv.writer(buffer, lineterminator="\\n")')


@fault(EXPORT)
def the_last_line_has_no_end(bench):
    chunks = view(EXPORT).export_chunks
    bench.patch(view(EXPORT), "export_chunks", lambda query: ["".join(chunks(query)).rstrip("\r\n")])


@fault(EXPORT)
def formulas_are_not_guarded(bench):
    bench.mutate(importlib.import_module("crm.blueprints.customers.exchange"), "_export_row", "_guard(str(value))", "str(value)")


@fault(EXPORT)
def the_file_has_another_name(bench):
    bench.view(EXPORT, "filename=customers.csv", "filename=export.csv")


@fault("gdpr.export")
def personal_data_may_be_cached(bench):
    bench.view("gdpr.export", '            "Cache-Control": "no-store",\n', "")


@fault("static")
def static_files_are_cached_for_a_day(bench):
    bench.after(lambda response: response.cache_control.max_age and setattr(response.cache_control, "max_age", 86400))


@fault("static")
def a_file_has_another_etag(bench):
    bench.after(lambda response: response.headers.get("ETag") and response.headers.set("ETag", '"1"'))


@fault("api.customer")
def errors_of_the_api_say_less(bench):
    bench.mutate(resources, "customer_for_api", 'abort(404, message="Customer %d does not exist." % customer_id)',
                 "from flask import abort as plain; plain(404)")
    bench.patch(importlib.import_module("crm.blueprints.api.customers"), "customer_for_api", resources.customer_for_api)


def queries(blueprint):
    return importlib.import_module(f"crm.blueprints.{blueprint}.queries")


# --- the way in -----------------------------------------------------------------------------------------------------------

@app.after_request
def _hooked(response):
    for hook in after_hooks:
        hook(response)
    return response


committed = Bench()


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if not path.startswith("/__fault__/"):
        return app(environ, start_response)
    name, status, told = path[len("/__fault__/"):], "200 OK", "done"
    committed.undo()
    if not name:
        told = json.dumps([{"name": known, "routes": routes} for known, (routes, _) in FAULTS.items()])
    elif name != "none":
        try:
            with app.app_context():
                FAULTS[name][1](committed)
        except Exception:
            status, told = "500 Internal Server Error", traceback.format_exc()
    start_response(status, [("Content-Type", "application/json")])
    return [told.encode()]
