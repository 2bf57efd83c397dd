"""Settings of gunicorn, read from the environment. Threads, because pages wait for the database most of the time."""
import os

bind = os.environ.get("CRM_BIND", "127.0.0.1:5000")
worker_class = "gthread"
workers = int(os.environ.get("CRM_WORKERS", "2"))
threads = int(os.environ.get("CRM_THREADS", "4"))
timeout = int(os.environ.get("CRM_TIMEOUT", "60"))
graceful_timeout = 20
# Longer than a proxy keeps its idle connections, so that it is never us who close one under its hands.
keepalive = int(os.environ.get("CRM_KEEPALIVE", "75"))
# Newer gunicorn would open a control socket in the home directory; older ones skip settings they do not know.
control_socket_disable = True

loglevel = os.environ.get("CRM_LOG_LEVEL", "info")
errorlog = os.environ.get("CRM_ERROR_LOG", "-")
accesslog = os.environ.get("CRM_ACCESS_LOG", "-")
# The path without the query string: searches contain names of people.
access_log_format = '%(h)s "%(m)s %(U)s" %(s)s %(B)s %(D)sus'
