"""Entry point of the web server (`gunicorn wsgi:app`) and of the commands (FLASK_APP=wsgi:app)."""
from crm import create_app

app = create_app()
