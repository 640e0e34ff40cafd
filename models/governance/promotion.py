"""Promotion: the challenger judged against the champion on published data, the verdict kept, the alias moved.

The verdict is kept before the alias moves, and moving it takes the challenger's alias away: broken off anywhere and
done again, it leaves one champion, and one that a person rolled back is not promoted again.
"""

from datetime import date

import pandas as pd

from c2m import markdown
from c2m.errors import InputError
from c2m.settings import ForecastPolicy, settings
from models.evaluation import cost
from models.governance import promotion_gate, registry
from models.governance.promotion_gate import CHALLENGER, CHAMPION, Promotion
from models.governance.registry import GATE, Registered
from models.panel.daily import published_panel
from models.panel.matrices import Panel

PROMOTED = "promoted"


def decide(business_date: date, again: bool = False, version: str | None = None) -> Promotion | None:
    """The verdict on the challenger; the alias moves where it passes.

    Parameters
    ----------
    business_date
        Day whose published panel judges both.
    again
        Judge also what was judged beside this champion before.
    version
        Becomes the challenger first, and is judged in any case.

    Returns
    -------
    Promotion or None
        None without a challenger, or where it was judged before and not `again`.

    Raises
    ------
    InputError
        `version` is the champion already or does not exist, or no version is the champion.
    """
    if version:
        _nominate(version)
        again = True
    challenger = registry.registered(registry.CHALLENGER)
    if challenger is None:
        return None
    champion = registry.champion()
    judged = challenger.tags.get(f"{GATE}.champion") == champion.version and not again
    if challenger.version == champion.version or (judged and challenger.tags[GATE] == PROMOTED):
        registry.promote(challenger.version)  # again: it was broken off
        return None
    if judged:
        return None
    verdict = verdict_on(champion, challenger, published_panel(business_date))
    registry.note(challenger.version, _tags(verdict, champion), page(verdict, champion, challenger))
    if verdict.promoted:
        registry.promote(challenger.version)
    return verdict


def _tags(verdict: Promotion, champion: registry.Registered) -> dict[str, str]:
    found = figures(verdict)
    tags = {GATE: found["verdict"], f"{GATE}.champion": champion.version}
    return tags | {f"{GATE}.{name}": found[name] for name in ("saving", "reasons")}


def _nominate(version: str) -> None:
    if version == registry.version_of(registry.CHAMPION):
        fault = f"{registry.NAME} version {version} is the champion; name another version to judge beside it"
        raise InputError("already-champion", [fault])
    registry.challenge(version)


def verdict_on(champion: Registered, challenger: Registered, panel: Panel) -> Promotion:
    """The gate's verdict on both, from origins of which the window has passed."""
    policy = settings().promotion
    both = {CHAMPION: _contestant(champion), CHALLENGER: _contestant(challenger)}
    return promotion_gate.judge(cost.published(panel, both, policy.folds), policy)


def _contestant(version: Registered) -> cost.Ours:
    return cost.Ours(ForecastPolicy.model_validate(version.scorer.spec["policy"]), version.scorer)


def segments(verdict: Promotion) -> pd.DataFrame:
    """The column segment and what each costs (`Promotion.segments`), its rise in percent."""
    rows = verdict.segments
    return rows.assign(rise=rows["rise"].map("{:+.1%}".format)) if len(rows) else rows


def figures(verdict: Promotion) -> dict[str, str]:
    """The verdict in words and figures."""
    low, high = verdict.interval
    return {
        "verdict": PROMOTED if verdict.promoted else "refused",
        "saving": f"{verdict.saving:.2%} ({low:.2%} to {high:.2%})",
        "reasons": "; ".join(verdict.reasons),
    }


def page(verdict: Promotion, champion: Registered, challenger: Registered) -> str:
    """The verdict for people, in Markdown."""
    word = "takes the place of" if verdict.promoted else "does not take the place of"
    return "\n".join([
        f"Version {challenger.version} **{word}** version {champion.version}.",
        "",
        *(f"* {reason}" for reason in verdict.reasons),
        "",
        "Cost of wrong quantities by segment (money, all folds):",
        "",
        markdown.table(segments(verdict)) if len(verdict.segments) else "",
    ])  # fmt: skip
