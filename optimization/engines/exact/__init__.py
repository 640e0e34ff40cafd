"""An instance as one program, by branch and bound; and the improvement of settled plans."""

__all__ = ["branch_and_bound", "one_program", "timetable", "undo_changes", "workers"]
