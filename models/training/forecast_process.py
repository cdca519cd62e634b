"""The forecast model: a mixture of Gaussian processes on a latent scale, linked to the MMSE by a beta distribution.

Under one course c a person of age a, with t = (a - 75) / 10, has the latent score

    level_c + male + education - decline_c * exp(decline_rate * t) + intercept + walk_c(a) + noise

where `intercept` is normal, `walk_c` is Brownian motion with variance walk_sd_c**2 * exp(walk_rate * t) and `noise` is
new at every visit. A score s is seen when the latent score lies between the beta distribution function at s / 31 and at
(s + 1) / 31 (open at both ends, which is what a floor and a ceiling are). The history enters at the place of each seen
score; the place of 30 is fitted. Intercept plus Brownian motion is a random walk, so `filter_people` conditions exactly
with a one-dimensional Kalman filter; `forecast` below gives the same by dense solves and is the reference for golden.json.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import betainc, ndtr

MAXIMUM = 30
AGE_REFERENCE, AGE_SCALE, AGE_CEILING = 75.0, 10.0, 100.0
DAYS_PER_YEAR = 365.25
PROBABILITY_FLOOR = 1e-9
COURSES = ("steady", "declining")
QUANTILES = {"median": 0.5, "lower_80": 0.1, "upper_80": 0.9, "lower_95": 0.025, "upper_95": 0.975}

# Searched on this scale; the widths and shapes are logarithms.
SHARED = ("log_shape_a", "log_shape_b", "log_ceiling", "male", "education", "log_noise", "log_intercept", "walk_rate", "decline_rate")
START = np.array([0.0, -0.9, -3.5, -0.01, 0.12, -2.8, -2.8, 1.0, 1.2, 0.57, 0.01, -3.4, 0.62, 0.07, -2.6, -0.8])


@dataclass
class People:
    """Visits with an MMSE, one row per person, padded on the right with the last age."""

    score: np.ndarray
    age: np.ndarray
    seen: np.ndarray
    male: np.ndarray
    education: np.ndarray

    def __len__(self) -> int:
        return len(self.score)

    def take(self, index: np.ndarray) -> People:
        return People(*(getattr(self, name)[index] for name in ("score", "age", "seen", "male", "education")))


def read_people(path: Any) -> People:
    table = pd.read_csv(path).dropna(subset=["MMSE"]).sort_values(["ID", "age"])
    groups = [rows for _, rows in table.groupby("ID", sort=True)]
    width = max(len(rows) for rows in groups)
    shape = (len(groups), width)
    people = People(np.zeros(shape, int), np.zeros(shape), np.zeros(shape, bool), np.zeros(len(groups)), np.zeros(len(groups)))
    for i, rows in enumerate(groups):
        n = len(rows)
        people.score[i, :n], people.age[i, :n], people.seen[i, :n] = rows.MMSE, rows.age, True
        people.age[i, n:] = rows.age.iloc[-1]
        people.male[i], people.education[i] = rows.male.iloc[0], rows.CEP.iloc[0]
    return people


def unpack(theta: np.ndarray) -> dict[str, Any]:
    """The model's numbers from the searched vector."""
    shared = dict(zip(SHARED, map(float, theta[: len(SHARED)]), strict=True))
    a, b = np.exp(shared["log_shape_a"]), np.exp(shared["log_shape_b"])
    thresholds = betainc(a, b, (np.arange(MAXIMUM) + 1) / (MAXIMUM + 1))
    places = betainc(a, b, (np.arange(MAXIMUM + 1) + 0.5) / (MAXIMUM + 1))
    places[MAXIMUM] = thresholds[-1] + np.exp(shared["log_ceiling"])
    level0, decline0, walk0, level1, decline1, walk1, odds = map(float, theta[len(SHARED) :])
    second = 1 / (1 + np.exp(-odds))
    return {
        "shapes": (a, b),
        "thresholds": thresholds,
        "places": places,
        "male": shared["male"],
        "education": shared["education"],
        "noise": np.exp(shared["log_noise"]),
        "intercept": np.exp(shared["log_intercept"]),
        "walk_rate": shared["walk_rate"],
        "decline_rate": shared["decline_rate"],
        "courses": [
            {"weight": 1 - second, "level": level0, "decline": decline0, "walk": np.exp(walk0)},
            {"weight": second, "level": level1, "decline": decline1, "walk": np.exp(walk1)},
        ],
    }


def probabilities(mean: np.ndarray, variance: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Probability of each score 0 to 30 (last axis) under latent normals."""
    upto = np.empty((*np.shape(mean), MAXIMUM + 2))
    upto[..., 0], upto[..., -1] = 0.0, 1.0
    upto[..., 1:-1] = ndtr((thresholds - mean[..., None]) / np.sqrt(variance)[..., None])
    return np.diff(upto, axis=-1)


def crps(distribution: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Continuous ranked probability score of a distribution on 0 to 30: sum of squared errors of its steps."""
    steps = np.cumsum(distribution, axis=-1)[..., :MAXIMUM]
    return ((steps - (np.arange(MAXIMUM) >= np.asarray(score)[..., None])) ** 2).sum(-1)


def trend(model: dict[str, Any], course: dict[str, float], age: np.ndarray, male: Any, education: Any) -> np.ndarray:
    t = (np.minimum(age, AGE_CEILING) - AGE_REFERENCE) / AGE_SCALE
    fixed = course["level"] + model["male"] * male + model["education"] * education
    return fixed - course["decline"] * np.exp(model["decline_rate"] * t)


def walked(model: dict[str, Any], course: dict[str, float], age: np.ndarray) -> np.ndarray:
    return course["walk"] ** 2 * np.exp(model["walk_rate"] * (age - AGE_REFERENCE) / AGE_SCALE)


@dataclass
class Filtered:
    """Per course (first axis), person and visit: predictions from the visits before, belief and weight after it."""

    predicted: np.ndarray
    expected: np.ndarray
    walked: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    # One column more than visits: the weight of the course after 0, 1, ... visits.
    weight: np.ndarray

    def next_visit(self) -> np.ndarray:
        """Distribution of every visit given the visits before it: people x visits x 31."""
        return (self.weight[:, :, :-1, None] * self.predicted).sum(0)

    def later_visit(self, model: dict[str, Any], people: np.ndarray, used: int, visit: int) -> np.ndarray:
        """Distribution of `visit` given the first `used` (at least 1) visits."""
        total = 0.0
        for c in range(len(self.mean)):
            variance = self.variance[c, people, used - 1] + self.walked[c, people, visit] - self.walked[c, people, used - 1]
            mean = self.expected[c, people, visit] + self.mean[c, people, used - 1]
            weight = self.weight[c, people, used][:, None]
            total = total + weight * probabilities(mean, variance + model["noise"] ** 2, model["thresholds"])
        return total


def filter_people(model: dict[str, Any], people: People) -> Filtered:
    n, visits = people.score.shape
    noise = model["noise"] ** 2
    place = model["places"][people.score]
    parts = []
    for course in model["courses"]:
        expected = trend(model, course, people.age, people.male[:, None], people.education[:, None])
        walk = walked(model, course, people.age)
        mean, variance = np.zeros(n), model["intercept"] ** 2 + walk[:, 0]
        ahead, spread, after, left = (np.empty((n, visits)) for _ in range(4))
        for j in range(visits):
            if j:
                variance = variance + walk[:, j] - walk[:, j - 1]
            ahead[:, j], spread[:, j] = expected[:, j] + mean, variance + noise
            gain = variance / spread[:, j]
            mean, variance = mean + gain * (place[:, j] - ahead[:, j]), variance * (1 - gain)
            after[:, j], left[:, j] = mean, variance
        predicted = np.zeros((n, visits, MAXIMUM + 1))
        predicted[people.seen] = probabilities(ahead[people.seen], spread[people.seen], model["thresholds"])
        parts.append((predicted, expected, walk, after, left))
    predicted, expected, walk, after, left = (np.stack(items) for items in zip(*parts, strict=True))
    evidence = np.log(np.take_along_axis(predicted, people.score[None, ..., None], -1)[..., 0] + PROBABILITY_FLOOR) * people.seen
    prior = np.log([course["weight"] for course in model["courses"]])[:, None, None]
    log_weight = prior + np.concatenate([np.zeros_like(evidence[..., :1]), np.cumsum(evidence, -1)], -1)
    weight = np.exp(log_weight - log_weight.max(0))
    return Filtered(predicted, expected, walk, after, left, weight / weight.sum(0))


def loss(theta: np.ndarray, people: People) -> float:
    """Mean over visits of half the negative log probability plus half the CRPS, each visit given those before it."""
    if theta[SHARED.index("walk_rate")] < 0.01:
        return 1e3
    distribution = filter_people(unpack(theta), people).next_visit()[people.seen]
    score = people.score[people.seen]
    log_probability = np.log(distribution[np.arange(len(score)), score] + PROBABILITY_FLOOR)
    return float(np.mean(0.5 * crps(distribution, score) - 0.5 * log_probability))


def fit(people: People) -> dict[str, Any]:
    """Smallest `loss` from a fixed start, at six significant digits: the last bits of a search change no file."""
    found = minimize(loss, START, args=(people,), method="L-BFGS-B", options={"maxiter": 400, "ftol": 1e-8})
    return unpack(np.array([float(f"{value:.6g}") for value in found.x]))


def distributions(model, population, known: dict[str, float], elapsed: np.ndarray, score: np.ndarray, ahead: np.ndarray) -> np.ndarray:
    """Score probabilities at `ahead` years from the visits at `elapsed` years (both from the date `known["age"]` holds
    at), by dense Gaussian-process solves; a covariate that is not known is averaged over the population."""
    share = {"sex": population["male"], "education": population["education"]}
    total, weights = 0.0, 0.0
    for age in [known["age"]] if "age" in known else population["ages"]:
        for male in [known["sex"]] if "sex" in known else [0, 1]:
            for education in [known["education"]] if "education" in known else [0, 1]:
                assumed = 1.0
                for name, value in (("sex", male), ("education", education)):
                    if name not in known:
                        assumed *= share[name] if value else 1 - share[name]
                for course in model["courses"]:
                    evidence = 1.0
                    for n in range(len(score)):
                        seen = _conditioned(model, course, age, male, education, elapsed[:n], score[:n], elapsed[n : n + 1])
                        evidence *= seen[0, score[n]] + PROBABILITY_FLOOR
                    weight = assumed * course["weight"] * evidence
                    total = total + weight * _conditioned(model, course, age, male, education, elapsed, score, ahead)
                    weights += weight
    return total / weights


def forecast(model: dict[str, Any], population: dict[str, Any], case: dict[str, Any]) -> dict[str, Any]:
    """The expected answer to one request of golden.json."""
    start = date.fromisoformat(case["from"])
    visits = sorted((date.fromisoformat(visit["at"]), visit["value"]) for visit in case["history"])
    elapsed = np.array([(at - start).days / DAYS_PER_YEAR for at, _ in visits])
    score = np.array([value for _, value in visits], int)
    ahead = np.array([0.0, 1.0, *(months / 12 for months in case["horizons_months"])])
    found = distributions(model, population, case["covariates"], elapsed, score, ahead)
    means = found @ np.arange(MAXIMUM + 1)
    return {
        "basis": "history" if visits else "population",
        "visits_used": len(visits),
        "rate_per_year": float(means[1] - means[0]),
        "points": [
            {
                "months": months,
                "mean": float(mean),
                "median": int(quantile(distribution, QUANTILES["median"])),
                **band,
                "probability_below_24": float(distribution[:24].sum()),
                "distribution": [float(value) for value in distribution],
            }
            for months, mean, distribution, band in zip(case["horizons_months"], means[2:], found[2:], _bands(found[2:]), strict=True)
        ],
    }


def _bands(distributions: np.ndarray) -> list[dict[str, int]]:
    """Bands of one answer, shortest horizon first. One that comes out narrower than the band before it (floor, rounding)
    keeps as much of that band as it needs to be as wide, the upper end first."""
    bands: list[dict[str, int]] = []
    for distribution in distributions:
        band = {name: int(quantile(distribution, level)) for name, level in QUANTILES.items() if name != "median"}
        for share in ("80", "95"):
            lower, upper = f"lower_{share}", f"upper_{share}"
            band[lower], band[upper] = min(band[lower], band["lower_80"]), max(band[upper], band["upper_80"])
            if bands:
                last = bands[-1]
                lacking = max(0, last[upper] - last[lower] - (band[upper] - band[lower]))
                raised = min(lacking, max(0, last[upper] - band[upper]))
                band[upper] += raised
                band[lower] -= lacking - raised
        bands.append(band)
    return bands


def quantile(distribution: np.ndarray, level: float) -> np.ndarray:
    """Smallest score whose cumulative probability reaches `level`."""
    return (np.cumsum(distribution, axis=-1) < level - 1e-12).sum(-1)


def _conditioned(model, course, age, male, education, elapsed, score, wanted) -> np.ndarray:
    times = np.concatenate([elapsed, wanted])
    n = len(elapsed)
    expected = trend(model, course, age + times, male, education)
    walk = walked(model, course, age + times)
    covariance = model["intercept"] ** 2 + np.minimum(walk[:, None], walk[None, :])
    within = covariance[:n, :n] + model["noise"] ** 2 * np.eye(n)
    across = covariance[n:, :n]
    mean = expected[n:] + across @ np.linalg.solve(within, model["places"][score] - expected[:n])
    explained = np.einsum("ij,ji->i", across, np.linalg.solve(within, across.T))
    return probabilities(mean, np.diag(covariance)[n:] - explained + model["noise"] ** 2, model["thresholds"])
