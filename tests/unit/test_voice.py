"""Aspects of reviews: what the model hears, in two languages; how it is kept; what never lands of a shopper."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from feed_rows import good, write_csv, write_good_world
from typer.testing import CliRunner

from c2m import clock
from c2m.cli import app
from c2m.feeds.ingest import ingest
from c2m.feeds.landing import land_frame, read_landed
from c2m.feeds.world import World
from c2m.settings import settings
from c2m.simulation.world import reviews
from models.governance import promotion_gate, voices
from models.voice import aspect_model, hearing, judge
from models.voice.words import codes


def landed_of(folder: Path, **review: str) -> None:
    write_good_world(folder)
    write_csv(folder / "reviews.csv", [good("reviews", **review)])
    ingest(World.load(folder))


def heard(text: str) -> set[str]:
    found = aspect_model.load()
    return {code for code, says in zip(codes(), found.says([text])[0], strict=True) if says}


def test_both_languages_are_heard() -> None:
    assert "size:small" in heard("The sleeves are far too tight, I had to return it.")
    assert heard("The seams came apart after one wash.") >= {"making:bad"}
    assert "size:small" in heard("袖口偏小。给妹妹买的。")
    assert heard("I wear it to work.") == set()


def test_chinese_that_it_has_not_learned() -> None:
    """Generated phrases held out from training: no public set of Chinese reviews is at hand."""
    texts, says = zip(*reviews.phrases(held_out=True), strict=True)
    truth = np.array([[one == code for code in codes()] for one in says])
    assert judge.by_code(truth, aspect_model.load().says(list(texts)))["f1"].mean() >= 0.85


def test_a_model_is_kept_without_pickle(tmp_path: Path) -> None:
    found, text = aspect_model.load(), "Soft fabric, but it runs small."
    found.save(tmp_path / "again.npz")
    np.testing.assert_allclose(aspect_model.load(tmp_path / "again.npz").hear(text)[0], found.hear(text)[0], atol=1e-3)
    with np.load(tmp_path / "again.npz", allow_pickle=False) as held:
        assert all(held[name].dtype.kind in "fu" for name in held.files)


def test_the_gate_wants_fewer_mistakes() -> None:
    truth = np.random.default_rng(1).random((200, len(codes()))) < 0.3
    worse = truth ^ (np.random.default_rng(2).random(truth.shape) < 0.2)
    policy = settings().promotion
    assert promotion_gate.judge(voices.costs(truth, worse, truth), policy).promoted
    assert not promotion_gate.judge(voices.costs(truth, truth, worse), policy).promoted


def test_a_review_is_heard_once_and_tells_nobody(tmp_path: Path, home: Path) -> None:
    told = "My name is Jane Miller, call +1 (555) 123-4567 or jane@mail.org. It runs small at the cuff, size 38, 2026."
    landed_of(tmp_path / "world", text=told, title="我叫王小明", sku_id="tee-red-M", sale_line_id="s1")
    landed = read_landed("reviews").iloc[0]
    for person in ("Jane", "Miller", "555", "jane@", "mail.org", "王小明"):
        assert person not in landed["text"] + landed["title"]
    assert "size 38, 2026" in landed["text"]
    assert hearing.hear(aspect_model.load(), "1", clock.cut_off(date(2026, 1, 4))).empty  # not known yet
    said = hearing.hear(aspect_model.load(), "1", clock.cut_off(date(2026, 1, 6)))
    land_frame("review_aspects", said)
    assert hearing.hear(aspect_model.load(), "1", clock.cut_off(date(2026, 1, 6))).empty
    assert ("size", "small", "cuff") in set(said[["aspect", "polarity", "part"]].itertuples(index=False, name=None))


def test_training_without_the_reviews_names_every_file_that_is_missing(home: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["train-voice", str(tmp_path)])
    assert done.exit_code == 2
    assert done.output.count("is not there") == 2


@pytest.mark.long
@pytest.mark.shared
def test_training_again_gives_the_model_that_is_shipped(home: Path, shared_data: Path) -> None:
    """So the gate refuses it: it costs as much as the champion."""
    done = CliRunner().invoke(app, ["train-voice", str(shared_data)])
    assert done.exit_code == 0, done.output
    assert "refused" in done.output and "costs as much as the champion" in done.output
