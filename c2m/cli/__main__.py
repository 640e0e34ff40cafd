"""`python -m c2m.cli`"""

from c2m.cli import app

app()
