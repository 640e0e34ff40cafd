"""What the small demo world has beside its apparel, for the whole joint factory: socks that no one factory can make.

Crew socks are knit, boarded and packed in three stages, of yarn that is bought; name socks are ordered one by one, each
by a shopper, and share a setup. None of their factories makes apparel, and nothing of them is forecast. All of it is in
the files of the folder `socks`, whose orders were placed on the day before the demo world's business date.
"""

from pathlib import Path

from c2m.files import write_atomically

_FILES = Path(__file__).parent / "socks"


def lay_beside(folder: Path) -> None:
    """Writes the feed files of the socks into the folder of a world, each beside the world's own of that feed.

    Parameters
    ----------
    folder
        Of the world.
    """
    for file in sorted(_FILES.glob("*.csv")):
        write_atomically(folder / f"{file.stem}.socks.csv", file.read_bytes())
