"""Forms of feed files: packed ones, documents, workbooks. Bytes or rows of text; they know no feed."""

__all__ = ["cells", "nested", "ooxml", "packed", "sniff", "workbook"]
