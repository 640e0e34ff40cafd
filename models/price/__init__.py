"""What a price does to demand, and which price to propose: elasticities, guard rails, simulated gains."""

__all__ = ["daily", "effect", "elasticity", "proposal", "rails"]
