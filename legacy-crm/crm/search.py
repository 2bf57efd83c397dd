"""Text search with LIKE, where % and _ in what the user typed mean themselves."""
from sqlalchemy import or_


def contains(text, *columns):
    """A condition: one of the columns contains the text, in any case."""
    pattern = "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    return or_(*[column.ilike(pattern, escape="\\") for column in columns])
