"""Account pages. Failed logins say the same for a wrong password and an unknown address."""
from flask import abort, current_app, flash, redirect, render_template, url_for
from flask_login import current_user, login_required, login_user, logout_user

from crm.audit import audit
from crm.blueprints.auth import bp
from crm.blueprints.auth.forms import LoginForm, PasswordForm, ProfileForm, RegisterForm
from crm.blueprints.auth.redirects import after_login
from crm.clock import utcnow
from crm.extensions import db
from crm.models import User


@bp.route("/login", methods=["GET", "POST"])
def login():
    if current_user.is_authenticated:
        return redirect(url_for("main.index"))
    form = LoginForm()
    if form.validate_on_submit():
        user = User.by_email(form.email.data)
        if user is not None and user.active and user.check_password(form.password.data):
            login_user(user, remember=form.remember.data)
            user.last_login_at = utcnow()
            audit("user.login", "user", user.id)
            db.session.commit()
            return redirect(after_login())
        flash("E-mail or password is wrong.", "error")
    return render_template("auth/login.html", form=form, registration_open=current_app.config["REGISTRATION_OPEN"])


@bp.route("/logout", methods=["POST"])
@login_required
def logout():
    audit("user.logout", "user", current_user.id)
    db.session.commit()
    logout_user()
    flash("You are logged out.", "info")
    return redirect(url_for("auth.login"))


@bp.route("/register", methods=["GET", "POST"])
def register():
    if not current_app.config["REGISTRATION_OPEN"]:
        abort(404)
    if current_user.is_authenticated:
        return redirect(url_for("main.index"))
    form = RegisterForm()
    if form.validate_on_submit():
        user = User(name=form.name.data.strip(), email=form.email.data.strip().lower(), role="rep")
        user.set_password(form.password.data)
        db.session.add(user)
        db.session.flush()
        login_user(user)
        audit("user.register", "user", user.id)
        db.session.commit()
        flash("Welcome, %s!" % user.name, "success")
        return redirect(url_for("main.index"))
    return render_template("auth/register.html", form=form)


@bp.route("/profile", methods=["GET", "POST"])
@login_required
def profile():
    form = ProfileForm(obj=current_user)
    if form.validate_on_submit():
        current_user.name = form.name.data.strip()
        audit("user.profile", "user", current_user.id)
        db.session.commit()
        flash("Your profile is saved.", "success")
        return redirect(url_for("auth.profile"))
    return render_template("auth/profile.html", form=form)


@bp.route("/password", methods=["GET", "POST"])
@login_required
def password():
    form = PasswordForm()
    if form.validate_on_submit():
        if current_user.check_password(form.current.data):
            current_user.set_password(form.password.data)
            audit("user.password", "user", current_user.id)
            db.session.commit()
            flash("Your password is changed.", "success")
            return redirect(url_for("auth.profile"))
        form.current.errors = list(form.current.errors) + ["This is not your current password."]
    return render_template("auth/password.html", form=form)
