"""Types of arrays by what they hold, each under one name. What travels with a model has its own, in models/panel."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
