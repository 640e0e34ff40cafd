"""Material needs: from pieces to materials by day, what covers them, and the safety that their spread asks for."""

__all__ = ["cover", "needs", "safety"]
