"""The card and the metrics of the forecast model, from its cross-validated predictions."""

from __future__ import annotations

from typing import Any

import numpy as np

import forecast_evaluation as evaluation
import forecast_process as process

HEAD = "| | visits | CRPS | absolute error of the median | in 80 % band | in 95 % band |\n|---|---|---|---|---|---|"
# Points per year that the system before this one subtracted.
FIXED_SLOPE = 2.5
SHARP_FALL = 5


def card_of(
    people: process.People,
    model: dict[str, Any],
    later: evaluation.Predictions,
    first: evaluation.Predictions,
    bare: evaluation.Predictions,
    texts: dict[str, Any],
) -> tuple[dict[str, float], dict[str, Any], str]:
    """Metrics and evidence for the manifest, and the text of card.md."""
    following = later.where(later.used == later.visit)
    found = evaluation.errors(following)
    carried, carried_p = evaluation.versus("last score carried forward", following, following.last)
    slope = np.clip(following.last - FIXED_SLOPE * following.gap_years, 0, process.MAXIMUM)
    sloped, sloped_p = evaluation.versus(f"last score minus {FIXED_SLOPE} points a year", following, slope)
    below = following.distribution[..., :24].sum(-1).mean(0)
    happened = following.score < 24
    metrics = {
        "crps": found["crps"].mean(),
        "mae": found["mae"].mean(),
        "coverage_80": found["cover_80"].mean(),
        "coverage_95": found["cover_95"].mean(),
        "brier_below_24": ((below - happened) ** 2).mean(),
        "crps_one_visit": evaluation.errors(later.where(later.used == 1))["crps"].mean(),
        "crps_without_covariates": evaluation.errors(bare)["crps"].mean(),
        "p_versus_last_score": carried_p,
        "p_versus_fixed_slope": sloped_p,
    }

    def table(rows: evaluation.Predictions, groups: list[tuple[str, np.ndarray]]) -> str:
        return "\n".join([HEAD, *(evaluation.line(label, rows.where(mask)) for label, mask in groups if mask.any())])

    everyone = np.ones(len(following), bool)
    months = later.gap_years * 12
    one = later.where(later.used == 1)
    one_months = one.gap_years * 12
    bins = [(0.0, 0.05), (0.05, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 1.01)]
    groups = [(low, high, mask) for low, high in bins if (mask := (below >= low) & (below < high)).any()]
    reliability = "\n".join(
        f"| {low:.2f} to {min(high, 1):.2f} | {mask.sum()} | {below[mask].mean():.3f} | {happened[mask].mean():.3f} |" for low, high, mask in groups
    )
    evidence = {
        "intended_use": texts["intended_use"],
        "not_for": texts["not_for"],
        "training_data": f"PAQUID, south-west France: {len(people)} people aged 65 and over at entry with {people.seen.sum()} dated MMSE scores.",
        "validation": f"Five-fold cross-validation by person on the same people, mean over {evaluation.SPLITS} random splits; no other cohort.",
        "calibration": [
            {
                "title": "Next MMSE below 24",
                "points": [
                    {"predicted": round(float(below[mask].mean()), 3), "observed": round(float(happened[mask].mean()), 3), "count": int(mask.sum())}
                    for _, _, mask in groups
                ],
            }
        ],
        "importance": None,
    }
    spans = [("up to 18", 0, 18), ("18 to 30", 18, 30), ("30 to 48", 30, 48), ("48 to 84", 48, 84), ("84 to 120", 84, 120), ("over 120", 120, 999)]
    surplus = (following.distribution @ np.arange(process.MAXIMUM + 1)).mean(0) - following.score
    fell = (following.used > 1) & (people.score[following.person, following.used - 2] - following.last >= SHARP_FALL)
    courses = "\n".join(
        f"| {name} | {course['weight']:.2f} | {course['level']:.3f} | {course['decline']:.3f} | {course['walk']:.3f} |"
        for name, course in zip(process.COURSES, model["courses"], strict=True)
    )
    per_person = people.seen.sum(1)
    limits = "\n".join(f"- {limit}" for limit in texts["limits"])
    return {name: float(f"{value:.4g}") for name, value in metrics.items()}, evidence, f"""# MMSE forecast: the score to come, with its uncertainty

**Decision support, not diagnosis.**

## Data and people

PAQUID, a population cohort of people aged 65 and over in south-west France: {len(people)} people with {people.seen.sum()} dated MMSE scores ({per_person.min()} to {per_person.max()} each; {(per_person > 1).sum()} people have two or more), {people.male.mean():.0%} men, {people.education.mean():.0%} with a primary-school diploma, ages {people.age[people.seen].min():.0f} to {people.age[people.seen].max():.0f} at a visit. Gaps between scores: median {np.median(following.gap_years):.1f} years, {np.quantile(following.gap_years, 0.05):.1f} to {np.quantile(following.gap_years, 0.95):.1f} for nine in ten. {(people.score[people.seen] == 30).mean():.0%} of scores are 30, {(people.score[people.seen] < 24).mean():.0%} are below 24. Visits without an MMSE are left out; the later dementia status is never used.

## How it was made

The score is a latent normal cut at 30 thresholds, placed by a beta distribution function (the floor and the ceiling are open ends). A person's latent course is a mean that falls exponentially with age, a random intercept, Brownian motion whose variance grows exponentially with age, and noise at each visit. There are two such courses; every score shifts the odds between them, so that a person who has begun to fall is forecast to go on falling. Sex and education move the mean.

| course | share | level | decline at 75 | walk at 75 |
|---|---|---|---|---|
{courses}

Latent scale: the scores 0 to 30 span {model['places'][0]:.2f} to {model['places'][-1]:.2f}; between-person intercept {model['intercept']:.3f}, noise {model['noise']:.3f} (standard deviations). Sixteen numbers were fitted by minimising half the negative log probability plus half the CRPS of every visit given the visits before it. The forecast conditions exactly on the person's own scores (closed form, no simulation). A missing age, sex or education is averaged over the training population, weighed by how well each value explains the scores; with no score the forecast is the population's and says so.

What the second course is worth (five-fold cross-validation by person on the same people, mean over two random splits):

| | CRPS, next visit | absolute error |
|---|---|---|
{texts['design']}

## Measured quality

Five-fold cross-validation by person, everything refitted in each fold, mean over {evaluation.SPLITS} random splits. For each held-out person with two or more scores, each later score is forecast from all earlier ones at the real time between them, with age, sex and education known. CRPS is that of the full distribution on 0 to 30 (for a point forecast: its absolute error); the median and the bands are quantiles of that distribution, whole scores, so an 80 % band holds at least 80 %. The form of the model was chosen on the same people, its numbers never on those it is measured on. In brackets: 95 % interval by resampling people.

{table(following, [("next visit from all earlier", everyone)])}

Ours minus the rival's error, mean over people (each counts once), paired:

| rival | its absolute error | CRPS difference | absolute error difference |
|---|---|---|---|
{carried}
{sloped}

From one visit only, by time ahead:

{table(one, [("all later visits", one_months >= 0), *((f"{label} months", (one_months >= low) & (one_months < high)) for label, low, high in spans)])}

From any number of visits, all later visits, by time ahead:

{table(later, [(f"{label} months", (months >= low) & (months < high)) for label, low, high in spans])}

With less known:

{table(first, [("first visit, from age, sex and education alone", np.ones(len(first), bool))])}
{evaluation.line("next visit, age, sex and education withheld", bare)}

Probability that the next score is below 24: Brier score {metrics['brier_below_24']:.3f} (always saying the mean: {happened.mean() * (1 - happened.mean()):.3f}).

| forecast | visits | mean forecast | observed share |
|---|---|---|---|
{reliability}

Forecast mean minus the score seen: {surplus.mean():+.2f} points over all next visits; {surplus[fell].mean():+.2f} after a fall of {SHARP_FALL} or more between the last two scores ({fell.sum()} visits), where the forecast is too hopeful.

## By sex, age, education and last score

{table(following, [
    ("women", following.male == 0),
    ("men", following.male == 1),
    ("age below 75", following.age < 75),
    ("age 75 to 84", (following.age >= 75) & (following.age < 85)),
    ("age 85 and over", following.age >= 85),
    ("no primary-school diploma", people.education[following.person] == 0),
    ("primary-school diploma", people.education[following.person] == 1),
    ("last score 30", following.last == 30),
    ("last score 27 to 29", (following.last >= 27) & (following.last < 30)),
    ("last score 24 to 26", (following.last >= 24) & (following.last < 27)),
    ("last score below 24", following.last < 24),
    ("last score below 18", following.last < 18),
])}

## Limits

{limits}

## Terms and acknowledgement

{texts['terms']} {texts['acknowledgement']}
"""
