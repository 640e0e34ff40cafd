"""The pages of the order room: a module per room, each with its routes."""
