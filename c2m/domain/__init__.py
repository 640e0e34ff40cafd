"""Rules of the trade that need no database: newsvendor, working time, apportioning, alerts, promised dates."""

__all__ = ["alerts", "apportion", "newsvendor", "promises", "worktime"]
