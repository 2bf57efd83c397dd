"""The probe templates rendered by the real Flask and Jinja2."""

import flask
import jinja2
from flask_login import LoginManager, UserMixin, login_user

import frozen
from probes import CONTEXT, PROBES

TARGET = "/show/n%20m?a=1&b=x&b=y&n=z"


class User(UserMixin):
    id = 7
    name = "Ana <3"


def make_app(templates):
    app = flask.Flask("vectors")
    app.secret_key = "secret"
    app.config["TITLE"] = "Über & Co"
    app.jinja_loader = jinja2.DictLoader(templates)
    for extension in ["do", "loopcontrols", "i18n"]:
        app.jinja_env.add_extension("jinja2.ext." + extension)
    app.jinja_env.install_null_translations(newstyle=True)
    LoginManager(app).user_loader(lambda user_id: User())
    app.add_url_rule("/", "index", lambda: "")
    app.add_url_rule("/show/<name>", "show", lambda name: render(), methods=["GET", "POST"])
    return app


def render():
    login_user(User())
    flask.session["user"] = "ana"
    flask.flash("saved <ok>")
    flask.flash("broken", "error")
    flask.g.thing = "T"
    return flask.render_template("main.html", **CONTEXT)


def vectors():
    frozen.freeze()
    out = []
    for probe in PROBES:
        name, source = probe[:2]
        more = probe[2] if len(probe) > 2 else {}
        app = make_app(dict(more, **{"main.html": source}))
        app.testing = True
        try:
            text = app.test_client().get(TARGET, base_url="http://crm.example.com/").get_data(as_text=True)
        except Exception as error:
            text = None
            print("  not rendered by Python:", name, repr(error))
        out.append({"name": name, "template": source, "more": more, "expected": text})
    return {"context": CONTEXT, "target": TARGET, "probes": out}
