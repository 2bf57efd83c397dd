"""Commands of `flask`: seed, api-token."""


def init_app(app):
    """The commands come with the seed."""
