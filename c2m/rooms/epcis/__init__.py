"""What happened to goods, as GS1 EPCIS 2.0 tells it to the systems of merchants and factories.

`door.create` makes the application.
"""

__all__ = ["door"]
