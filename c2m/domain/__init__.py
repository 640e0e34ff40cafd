"""Rules of the trade that need no database: newsvendor, working time, apportioning, alerts, promised dates."""

__all__ = [
    "alert_rules",
    "alert_words",
    "apportion",
    "arrays",
    "crafts",
    "designs",
    "lanes",
    "markets",
    "newsvendor",
    "operations",
    "personalisation",
    "promises",
    "quotes",
    "worktime",
]
