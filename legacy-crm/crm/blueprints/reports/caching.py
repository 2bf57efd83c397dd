"""Reports take their time, so their numbers are cached. The pages are not: they hold names, messages and tokens.

A cached report is plain data (no rows of the session), made for everything or for one rep's customers.
"""
from flask import current_app

from crm.extensions import cache


def scope_of(user):
    """Who shares a report: all who see everything, or nobody else."""
    return "all" if user.sees_everything else "user-%d" % user.id


def cached_report(name, user, compute, fresh=False):
    """The report from the cache, else computed. REPORT_CACHE_SECONDS=0 switches the cache off."""
    seconds = current_app.config["REPORT_CACHE_SECONDS"]
    if seconds <= 0:
        return compute()
    key = "report-%s-%s" % (name, scope_of(user))
    report = None if fresh else cache.get(key)
    if report is None:
        report = compute()
        cache.set(key, report, timeout=seconds)
    return report
