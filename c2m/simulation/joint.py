"""What the small demo world has beside its apparel: socks that no one factory can make, and a studio's designs.

Crew socks are knit, boarded and packed in three stages, of yarn that is bought; name socks are ordered one by one, each
by a shopper, and share a setup. None of their factories makes apparel, and nothing of them is forecast. All of it is in
the files of the folder `socks`, whose orders were placed on the day before the demo world's business date. Of the
designs (folder `studio`), one can be made, one needs a craft that no factory has, one is a style on sale by now; what
the first is made of is sold there too.
"""

from pathlib import Path

from c2m.files import write_atomically

_FOLDERS = ("socks", "studio")


def lay_beside(folder: Path) -> None:
    """Writes the feed files of both into the folder of a world, each beside the world's own of that feed.

    Parameters
    ----------
    folder
        Of the world.
    """
    for kind in _FOLDERS:
        for file in sorted((Path(__file__).parent / kind).glob("*.csv")):
            write_atomically(folder / f"{file.stem}.{kind}.csv", file.read_bytes())
