"""How far it is from factories to where their goods go, and how many days that takes.

In: F factories, and L destinations with destination_latitude and destination_longitude. Out: (L, F), km or days.
"""

import numpy as np
import pandas as pd

from c2m.domain.arrays import Floats, Ints

EARTH_RADIUS_KM = 6371.0
# Door to door by road with one driver, rests and loading included; a container ship makes about the same.
TRANSIT_KM_PER_DAY = 500.0
# Distance assumed where the merchant has named no destination; the same for every factory, so that it favours none.
ASSUMED_KM = 500.0


def transit_days(lots: pd.DataFrame, factories: pd.DataFrame) -> Ints:
    """Days from the last piece to the destination: handling, then by road.

    Parameters
    ----------
    lots
        destination_latitude, destination_longitude (degrees).
    factories
        latitude, longitude (degrees), handling_days.

    Returns
    -------
    numpy.ndarray
        (L, F) days.
    """
    road = np.ceil(distances_km(lots, factories) / TRANSIT_KM_PER_DAY).astype(np.int64)
    return np.asarray(factories["handling_days"].to_numpy(dtype=np.int64) + road)


def distances_km(lots: pd.DataFrame, factories: pd.DataFrame) -> Floats:
    """Great-circle distances from factories to destinations (haversine).

    Parameters
    ----------
    lots
        destination_latitude, destination_longitude (degrees).
    factories
        Columns latitude and longitude (degrees).

    Returns
    -------
    numpy.ndarray
        (L, F) kilometres; ASSUMED_KM where a place is not known.
    """
    to_latitude, to_longitude = (
        np.radians(lots[f"destination_{axis}"].to_numpy(dtype=float)[:, None]) for axis in ["latitude", "longitude"]
    )
    latitude, longitude = (np.radians(factories[axis].to_numpy(dtype=float)) for axis in ["latitude", "longitude"])
    chord = (
        np.sin((to_latitude - latitude) / 2) ** 2
        + np.cos(latitude) * np.cos(to_latitude) * np.sin((to_longitude - longitude) / 2) ** 2
    )
    km: Floats = 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.minimum(chord, 1)))
    return np.where(np.isnan(km), ASSUMED_KM, km)
