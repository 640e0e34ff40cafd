"""What shoppers say: aspects of a review with their polarity, from text in English and Chinese."""

__all__ = ["aspect_model", "hearing", "judge", "labelled", "training", "words"]
