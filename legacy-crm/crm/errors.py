"""Error pages. Under /api/ the same errors are JSON objects with a `message`, as Flask-RESTful writes them."""
from flask import jsonify, render_template, request
from flask_wtf.csrf import CSRFError

from crm.extensions import db

API_MESSAGES = {
    403: "You don't have the permission to access the requested resource.",
    404: "The requested URL was not found on the server.",
    405: "The method is not allowed for the requested URL.",
    413: "The data value transmitted exceeds the capacity limit.",
    500: "Internal Server Error",
}


def _answer(code, **context):
    if request.path.startswith("/api/"):
        return jsonify(message=API_MESSAGES[code]), code
    return render_template("errors/%d.html" % code, **context), code


def csrf_failed(error):
    return render_template("errors/csrf.html", reason=error.description), 400


def forbidden(error):
    return _answer(403)


def not_found(error):
    return _answer(404)


def too_large(error):
    return _answer(413)


def server_error(error):
    db.session.rollback()
    return _answer(500)


def init_app(app):
    app.register_error_handler(CSRFError, csrf_failed)
    app.register_error_handler(403, forbidden)
    app.register_error_handler(404, not_found)
    app.register_error_handler(413, too_large)
    app.register_error_handler(500, server_error)
