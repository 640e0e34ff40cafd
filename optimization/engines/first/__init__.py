"""Plans that are known before any search: by the common rule, by rounding, what is in force."""

__all__ = ["rounding", "rule", "start_plans"]
