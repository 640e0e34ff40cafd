"""The kernel of the C2M platform: settings, clock, feeds, ledger and factory floor. It imports none of its siblings.

PROJECT is the folder of those siblings (flows, models, optimization, expectations), of dbt_project, mappings and
prefect.yaml. In the repository it is the repository. A wheel has one name alone in site-packages, `c2m`. The folder
lies within it (setup.py), and is on the module path from the first import of `c2m` on, before site-packages: what
others install under such common names is not taken for ours. docs/decisions/one-name-in-site-packages.md says why.
"""

import os
import sys
import warnings
from pathlib import Path

# pandas 2 as pandas 3 is: text has a type of its own, and what is taken out of a frame is never changed by way of it.
# The variables are read when pandas is first imported. Expires with the cap on pandas in pyproject.toml.
os.environ.setdefault("PANDAS_COPY_ON_WRITE", "1")
os.environ.setdefault("PANDAS_FUTURE_INFER_STRING", "1")
if (pandas := sys.modules.get("pandas")) and pandas.__version__ < "3":
    pandas.options.mode.copy_on_write = pandas.options.future.infer_string = True
for words in ("Downcasting", ".* concatenation with empty", "DataFrameGroupBy.apply", "ArrowStringArrayNumpySemantics"):
    warnings.filterwarnings("ignore", words, FutureWarning)

_WITHIN = Path(__file__).with_name("_project")
PROJECT = _WITHIN if _WITHIN.is_dir() else Path(__file__).parents[1]

if _WITHIN.is_dir() and str(_WITHIN) not in sys.path:
    _beside = str(Path(__file__).parents[1])
    sys.path.insert(sys.path.index(_beside) if _beside in sys.path else len(sys.path), str(_WITHIN))
