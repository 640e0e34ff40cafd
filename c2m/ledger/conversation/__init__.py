"""What is said between platform and factories, and what each word does to the ledger."""

__all__ = ["changes", "dispatch", "inbox", "leave", "letters", "outbox", "ranks", "responses"]
