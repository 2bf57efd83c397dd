"""People who log in, their roles, and the tokens of their scripts."""
import hashlib
import secrets

from flask_login import UserMixin
from werkzeug.security import check_password_hash, generate_password_hash

from crm.clock import utcnow
from crm.extensions import db

ROLES = ("admin", "manager", "rep")
# Written out, so that every generation of Werkzeug writes hashes that every other one reads.
PASSWORD_METHOD = "pbkdf2:sha256:150000"


class User(UserMixin, db.Model):
    __tablename__ = "users"

    id = db.Column(db.Integer, primary_key=True)
    email = db.Column(db.String(120), nullable=False, unique=True)
    name = db.Column(db.String(80), nullable=False)
    password_hash = db.Column(db.String(200), nullable=False)
    role = db.Column(db.String(20), nullable=False, default="rep")
    active = db.Column(db.Boolean, nullable=False, default=True)
    created_at = db.Column(db.DateTime, nullable=False, default=utcnow)
    last_login_at = db.Column(db.DateTime)

    @property
    def is_active(self):
        return self.active

    @property
    def is_admin(self):
        return self.role == "admin"

    @property
    def sees_everything(self):
        return self.role in ("admin", "manager")

    def set_password(self, password):
        self.password_hash = generate_password_hash(password, method=PASSWORD_METHOD)

    def check_password(self, password):
        return check_password_hash(self.password_hash, password)

    @classmethod
    def by_email(cls, email):
        return cls.query.filter(db.func.lower(cls.email) == email.strip().lower()).first()


class ApiToken(db.Model):
    """A bearer token; only its SHA-256 is kept, the token itself is shown once."""

    __tablename__ = "api_tokens"

    id = db.Column(db.Integer, primary_key=True)
    user_id = db.Column(db.Integer, db.ForeignKey("users.id"), nullable=False)
    name = db.Column(db.String(80), nullable=False)
    token_hash = db.Column(db.String(64), nullable=False, unique=True)
    created_at = db.Column(db.DateTime, nullable=False, default=utcnow)
    revoked_at = db.Column(db.DateTime)

    user = db.relationship("User")

    @staticmethod
    def hash(token):
        return hashlib.sha256(token.encode("utf-8")).hexdigest()

    @classmethod
    def issue(cls, user, name):
        """Return (row, token); the caller adds the row and shows the token."""
        token = secrets.token_urlsafe(32)
        return cls(user_id=user.id, name=name, token_hash=cls.hash(token)), token

    @classmethod
    def user_for(cls, token):
        row = cls.query.filter_by(token_hash=cls.hash(token), revoked_at=None).first()
        if row is None or not row.user.active:
            return None
        return row.user
