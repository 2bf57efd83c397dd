"""Flask-SQLAlchemy's Pagination, and Python's dates, as templates see them."""

import datetime

MOMENTS = [
    datetime.datetime(2024, 3, 5, 9, 7, 0),
    datetime.datetime(1999, 12, 31, 23, 59, 59, 120),
    datetime.date(2020, 2, 29),
]
PATTERNS = ["%Y-%m-%d", "%d.%m.%Y %H:%M:%S", "%a %A %b %B", "%j %U %W %w", "%I:%M %p", "%y %e %%", "%-d %B"]
PAGES = [(1, 20, 0), (1, 20, 5), (1, 20, 45), (3, 20, 45), (1, 10, 300), (5, 10, 300), (15, 10, 300), (28, 10, 300), (30, 10, 300)]
EDGES = [{}, {"left_edge": 1, "right_edge": 1, "left_current": 1, "right_current": 2}, {"left_edge": 0, "right_edge": 0}]


def dates():
    out = []
    for moment in MOMENTS:
        out.append(
            {
                "moment": moment.isoformat(),
                "text": str(moment),
                "isoformat": moment.isoformat(),
                "weekday": moment.weekday(),
                "strftime": {pattern: moment.strftime(pattern) for pattern in PATTERNS},
            }
        )
    return out


def paginate(page, per_page, total):
    items = list(range(max(0, min(per_page, total - (page - 1) * per_page))))
    try:
        from flask_sqlalchemy import Pagination

        return Pagination(None, page, per_page, total, items)
    except ImportError:
        from flask_sqlalchemy.pagination import Pagination

        class Fixed(Pagination):
            def _query_items(self):
                return items

            def _query_count(self):
                return total

        return Fixed(page=page, per_page=per_page, max_per_page=1000, error_out=False)


def pages():
    try:
        import flask_sqlalchemy  # noqa: F401
    except ImportError:
        return []
    out = []
    for page, per_page, total in PAGES:
        pagination = paginate(page, per_page, total)
        case = {"page": page, "per_page": per_page, "total": total, "items": len(pagination.items)}
        for name in ["pages", "has_prev", "has_next", "prev_num", "next_num"]:
            case[name] = getattr(pagination, name)
        case["shown"] = [{"edges": edges, "numbers": list(pagination.iter_pages(**edges))} for edges in EDGES]
        out.append(case)
    return out


def vectors():
    return {"dates": dates(), "pages": pages()}
