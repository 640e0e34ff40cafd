"""Sentences and terms of a review: what the model of aspects counts. Rules and words lie in lexicon.yaml.

In: text in English or Chinese. Out: sentences; terms of a sentence (stems, neighbours, classes of words, keywords).
"""

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+|\s+-+\s+|\s*[。！？；]\s*")
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|[\u4e00-\u9fff]+|\d+")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_DENIAL = re.compile("un|not|不")
_ENDINGS = ("ing", "ed", "ly", "es", "s")
_NEAR = 6  # words that a class looks ahead
_DENIED = 4  # words that a negation reaches
_LONGEST = 4  # characters of a Chinese word of the lexicon
_KEYWORD_WEIGHT = 3  # a keyword counts as so many terms


@cache
def lexicon() -> dict[str, Any]:
    """codes (by aspect and polarity), classes of words, parts of a garment, keywords."""
    found: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("lexicon.yaml").read_text(encoding="utf-8"))
    return found


def codes() -> list[str]:
    """What a review may say, as aspect:polarity."""
    return list(lexicon()["keywords"])


def sentences(text: str) -> list[str]:
    """The sentences of a text that say something."""
    return [part.strip() for part in _SENTENCE.split(text) if re.search(r"\w", part)]


def words(text: str) -> list[str]:
    """Lower-case words; a Chinese text is cut into the longest words of the lexicon, and single characters."""
    return [word for run in _WORD.findall(text.lower().replace("’", "'")) for word in _cut(run)]


def _cut(run: str) -> Iterator[str]:
    while _CHINESE.match(run):
        length = _known_length(run)
        yield run[:length]
        run = run[length:]
    if run:
        yield run


def _known_length(run: str) -> int:
    """Characters of the longest word of the lexicon that a text begins with; 1 where it begins with none."""
    known = _classes()
    return next((n for n in range(min(_LONGEST, len(run)), 1, -1) if run[:n] in known), 1)


def stem(word: str) -> str:
    """A word without its usual English ending."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


@cache
def _classes() -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for name, listed in lexicon()["classes"].items():
        for word in str(listed).split():
            found.setdefault(word, set()).add(name)
            found.setdefault(stem(word), set()).add(name)
    return {word: tuple(sorted(names)) for word, names in found.items()}


def _classes_of(word: str) -> tuple[str, ...]:
    known = _classes()
    return known.get(word) or known.get(stem(word)) or ()


@lru_cache(maxsize=50_000)
def terms(sentence: str) -> tuple[str, ...]:
    """What is counted of a sentence; many shoppers write the same short ones."""
    raw = words(sentence)
    stems, kinds = [stem(word) for word in raw], [_classes_of(word) for word in raw]
    pairs = [" ".join(pair) for pair in pairwise(stems)]
    triples = [" ".join(three) for three in zip(stems, stems[1:], stems[2:], strict=False)]
    found = [f"KEY_{code}" for code in keywords(sentence)] * _KEYWORD_WEIGHT
    return (*stems, *pairs, *triples, *_denied(stems, kinds), *_in_classes(stems, kinds), *found)


def _denied(stems: list[str], kinds: list[tuple[str, ...]]) -> Iterator[str]:
    reach = 0
    for word, of in zip(stems, kinds, strict=True):
        if reach:
            yield from (f"NOT_{name}" for name in (word, *of))
            reach -= 1
        if "NEG" in of:
            reach = _DENIED


def _in_classes(stems: list[str], kinds: list[tuple[str, ...]]) -> Iterator[str]:
    """Classes, classes near one another, and each with its neighbours."""
    for at, here in enumerate(kinds):
        for name in here:
            yield name
            yield from (f"{name}>{other}" for near in kinds[at + 1 : at + 1 + _NEAR] for other in near)
            yield from (f"{name}+{word}" for word in stems[at + 1 : at + 2])
            yield from (f"{word}+{name}" for word in stems[max(at - 1, 0) : at])


@cache
def _keywords() -> dict[str, re.Pattern[str]]:
    return {code: re.compile("|".join(listed)) for code, listed in lexicon()["keywords"].items()}


def keywords(text: str) -> list[str]:
    """What the list of keywords alone finds: a feature of the model, and the rival that it must beat."""
    hits = [code for code, pattern in _keywords().items() if pattern.search(text.lower())]
    denied = _praise_denied(hits) if _DENIAL.search(text.lower()) else set()
    return [code for code in hits if code not in denied]


def _praise_denied(hits: list[str]) -> set[str]:
    """Praise of an aspect that is blamed too: "not flattering"."""
    return {code.replace("bad", "good") for code in hits if code.endswith(":bad")}


@cache
def _parts() -> dict[str, str]:
    return {word: part for part, listed in lexicon()["parts"].items() for word in str(listed).split()}


def parts(sentence: str) -> list[str]:
    """Parts of a garment that a sentence names."""
    known = _parts()
    found = {known.get(word) or known.get(stem(word)) for word in words(sentence)}
    return sorted(part for part in found if part)
