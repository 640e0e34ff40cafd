"""The order room: a web site where operations, merchants and factories see and say their own. Signs in by link.

`app.create` makes the site, `links.give` a link to it.
"""

__all__ = ["app", "links"]
