"""An application with one of everything that `flask shim routes` has something to say about."""

import functools

from flask import Blueprint
from flask import Flask
from flask import Response
from flask import request
from flask import send_file
from flask import stream_with_context
from flask.views import MethodView
from flask_login import LoginManager
from flask_login import fresh_login_required
from flask_login import login_required
from flask_restful import Api
from flask_restful import Resource
from flask_wtf.csrf import CSRFProtect
from werkzeug.routing import BaseConverter
from werkzeug.routing import Rule

csrf = CSRFProtect()
login_manager = LoginManager()
login_manager.user_loader(lambda user_id: None)


class ListConverter(BaseConverter):
    """Numbers with commas."""

    regex = r"\d+(?:,\d+)*"
    weight = 60


class NotNewConverter(BaseConverter):
    """A look-ahead, which not every regex engine has."""

    regex = r"(?!new)[^/]+"


def needs_role(role):
    def decorator(view):
        @functools.wraps(view)
        def checked(*args, **kwargs):
            return view(*args, **kwargs)

        return checked

    return decorator


customers = Blueprint("customers", __name__, url_prefix="/customers")


@customers.route("/")
@login_required
def list():  # the endpoint's name
    return "customers"


@customers.route("/<int:customer_id>")
@fresh_login_required
@needs_role("rep")
def detail(customer_id):
    return str(customer_id)


@customers.route("/new", methods=["GET", "POST"])
@login_required
def create():
    return "new"


@customers.route("/export.csv")
def export():
    def rows():
        yield "a,b\n"

    return Response(stream_with_context(rows()), mimetype="text/csv")


@customers.route("/<list:ids>/merge", methods=["POST"])
def merge(ids):
    return "merged"


@customers.route("/<not_new:tag>/tags")
def by_tag(tag):
    return "tagged"


@customers.route("/<name>/tags")
def by_name(name):
    return "tagged"


@customers.route("/<name>/merge", methods=["POST"])
def merge_by_name(name):
    return "merged"


hooks = Blueprint("hooks", __name__)


@hooks.before_request
def check_signature():
    return None


@hooks.route("/hooks/mail", methods=["POST"])
def mail():
    return "ok"


class Users(MethodView):
    """Two rules with different methods under one endpoint."""

    def get(self, user_id=None):
        return "users"

    @login_required
    def put(self, user_id):
        return "changed"

    @login_required
    def delete(self, user_id):
        return "gone"


class Deals(Resource):
    method_decorators = {"post": [login_required]}

    def get(self):
        return []

    def post(self):
        return {}, 201


class Deal(Resource):
    method_decorators = [login_required]

    def get(self, deal_id):
        return {"id": deal_id}


def _lines():
    for number in range(3):
        yield str(number)


def _stream():
    return Response(_lines())


def report():
    return _stream()


def download():
    return send_file(__file__)


def feed():
    lines = _lines()
    return Response(lines)


def page(number):
    return str(number)


def quiet():
    return "no options"


def options():
    return request.method


def add_plain_rules(app):
    app.add_url_rule("/reports/monthly", "report", report)
    app.add_url_rule("/download", "download", download)
    app.add_url_rule("/feed", "feed", feed)
    app.add_url_rule("/pages/", "page", page, defaults={"number": 1})
    app.add_url_rule("/pages/<int:number>", "page", page)
    app.add_url_rule("/both", "both", quiet, strict_slashes=False)
    app.add_url_rule("/two", "two", quiet)
    app.add_url_rule("/zwei", "two", quiet)
    app.add_url_rule("/quiet", "quiet", quiet, provide_automatic_options=False)
    app.add_url_rule("/options", "options", options, methods=["GET", "OPTIONS"])
    app.add_url_rule('/quote"d\\<path:rest>', 'odd "name"', quiet, methods=["POST"])
    app.url_map.add(Rule("/old/<int:n>", endpoint="old", redirect_to="customers/<n>"))
    app.url_map.add(Rule("/zwo", endpoint="two", alias=True, methods=["GET"]))
    app.url_map.add(Rule("/somewhere/else", endpoint="elsewhere", build_only=True))
    app.url_map.add(Rule("/socket", endpoint="socket", websocket=True, methods=["GET"]))
    app.url_map.add(Rule("/anything", endpoint="anything"))


def create_app(config=None):
    app = Flask(__name__, static_folder=None if config == "bare" else "static")
    app.config.update(SECRET_KEY="only for tests", TESTING=True)
    app.config.update(config if isinstance(config, dict) else {})
    app.url_map.converters["list"] = ListConverter
    app.url_map.converters["not_new"] = NotNewConverter
    csrf.init_app(app)
    login_manager.init_app(app)
    csrf.exempt(hooks)
    app.register_blueprint(customers)
    app.register_blueprint(hooks)
    api = Api(app, prefix="/api")
    api.add_resource(Deals, "/deals", endpoint="api.deals")
    api.add_resource(Deal, "/deals/<int:deal_id>", "/d/<int:deal_id>", endpoint="api.deal")
    users = Users.as_view("users")
    app.add_url_rule("/users/", view_func=users, methods=["GET"])
    app.add_url_rule("/users/<int:user_id>", view_func=users, methods=["PUT", "DELETE"])
    add_plain_rules(app)
    return app
