"""Does the model of aspects beat a list of keywords on reviews that it has not learned from? Do two labellings agree?

    .venv/bin/python -m benchmarks.voice.aspects [DATA]

DATA: folder of the public data (default: the variable C2M_SHARED_DATA). Trains on the labelled sentences, then judges
300 other reviews, 150 of each data set. Where labels/test_again.csv is there, kappa of both labellings too.
"""

import os
import sys
from pathlib import Path

import numpy as np

from c2m.simulation.world import reviews
from models.voice import judge, labelled, training
from models.voice.words import codes, keywords


def main() -> None:
    data = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ["C2M_SHARED_DATA"])
    texts, truth = labelled.test_set(data)
    found = training.train(labelled.training_set(data))
    ours = judge.by_code(truth, found.says(texts))
    listed = judge.by_code(truth, np.array([[code in keywords(text) for code in codes()] for text in texts]))
    ours["f1 of keywords"] = listed["f1"]
    if (labelled.LABELS / "test_again.csv").exists():
        again = labelled.test_set(data, "test_again")[1]
        ours["kappa"] = judge.kappa(truth, again).to_numpy()
        print(f"kappa of all marks {judge.kappa(truth.reshape(-1, 1), again.reshape(-1, 1)).iloc[0]:.3f}")
    print(ours.round(2).to_string(index=False))
    print(
        f"macro-F1 {judge.macro_f1(ours):.3f}, of keywords {judge.macro_f1(listed):.3f} (target 0.70, and 0.10 above)"
    )
    chinese, says = zip(*reviews.phrases(held_out=True), strict=True)
    said = np.array([[one == code for code in codes()] for one in says])
    table = judge.by_code(said, found.says(list(chinese)))
    print(f"Chinese, generated phrases held out from training: mean F1 {table['f1'].mean():.3f}, {len(said)} phrases")


if __name__ == "__main__":
    main()
