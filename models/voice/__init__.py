"""What shoppers say: aspects of a review with their polarity, from text in English and Chinese."""

__all__ = ["hearing", "judge", "labelled", "model", "training", "words"]
