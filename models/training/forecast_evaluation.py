"""Cross-validation of the forecast by person, as tables for the card and numbers for the manifest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import ttest_1samp

import forecast_process as process

SPLITS, FOLDS, RESAMPLES = 3, 5, 2000


@dataclass
class Predictions:
    """One row per predicted visit; `distribution` holds one row of 31 probabilities per split."""

    person: np.ndarray
    used: np.ndarray
    visit: np.ndarray
    score: np.ndarray
    age: np.ndarray
    gap_years: np.ndarray
    last: np.ndarray
    male: np.ndarray
    distribution: np.ndarray

    def where(self, mask: np.ndarray) -> Predictions:
        rows = (self.person, self.used, self.visit, self.score, self.age, self.gap_years, self.last, self.male)
        return Predictions(*(row[mask] for row in rows), self.distribution[:, mask])

    def __len__(self) -> int:
        return len(self.score)


def cross_validate(people: process.People, population: dict[str, Any]) -> tuple[Predictions, Predictions, Predictions]:
    """Every later visit from every number of earlier ones (at least one); first visits from none; and the next visits
    of the first split again with age, sex and education withheld."""
    n, visits = people.score.shape
    index = np.array([(i, used, v) for used in range(1, visits) for v in range(used, visits) for i in np.flatnonzero(people.seen[:, v])])
    position = {key: row for row, key in enumerate(map(tuple, index))}
    later = np.zeros((SPLITS, len(index), process.MAXIMUM + 1))
    first = np.zeros((SPLITS, n, process.MAXIMUM + 1))
    bare = np.zeros((1, len(index), process.MAXIMUM + 1))
    for split in range(SPLITS):
        fold = np.random.default_rng(split).permutation(n) % FOLDS
        for k in range(FOLDS):
            model = process.fit(people.take(np.flatnonzero(fold != k)))
            held = np.flatnonzero(fold == k)
            part = people.take(held)
            filtered = process.filter_people(model, part)
            first[split, held] = filtered.next_visit()[:, 0]
            for used in range(1, visits):
                for visit in range(used, visits):
                    inside = np.flatnonzero(part.seen[:, visit])
                    if len(inside):
                        rows = [position[held[i], used, visit] for i in inside]
                        later[split, rows] = filtered.later_visit(model, inside, used, visit)
            if split == 0:
                for i in held:
                    for visit in np.flatnonzero(people.seen[i])[1:]:
                        last = people.age[i, visit - 1]
                        bare[0, position[i, visit, visit]] = process.distributions(
                            model, population, {}, people.age[i, :visit] - last, people.score[i, :visit], people.age[i, [visit]] - last
                        )
    i, used, visit = index.T
    rows = Predictions(i, used, visit, people.score[i, visit], people.age[i, visit], people.age[i, visit] - people.age[i, used - 1],
                       people.score[i, used - 1], people.male[i], later)
    everyone = np.arange(n)
    none = np.zeros(n, int)
    start = Predictions(everyone, none, none, people.score[:, 0], people.age[:, 0], np.zeros(n), np.full(n, -1), people.male, first)
    withheld = Predictions(i, used, visit, rows.score, rows.age, rows.gap_years, rows.last, rows.male, bare)
    return rows, start, withheld.where(used == visit)


def errors(rows: Predictions) -> dict[str, np.ndarray]:
    """Per predicted visit, averaged over splits: CRPS, absolute error of the median, and whether the bands hold it."""
    at = {name: process.quantile(rows.distribution, level) for name, level in process.QUANTILES.items()}
    return {
        "crps": process.crps(rows.distribution, rows.score).mean(0),
        "mae": np.abs(at["median"] - rows.score).mean(0),
        "cover_80": ((at["lower_80"] <= rows.score) & (rows.score <= at["upper_80"])).mean(0),
        "cover_95": ((at["lower_95"] <= rows.score) & (rows.score <= at["upper_95"])).mean(0),
    }


def interval(person: np.ndarray, values: np.ndarray) -> tuple[float, float, float]:
    """Mean over visits, with its 95 % interval by resampling people."""
    _, code = np.unique(person, return_inverse=True)
    total, count = np.bincount(code, values), np.bincount(code)
    draws = np.random.default_rng(0).integers(0, len(total), (RESAMPLES, len(total)))
    means = total[draws].sum(1) / count[draws].sum(1)
    return float(values.mean()), *map(float, np.quantile(means, [0.025, 0.975]))


def line(label: str, rows: Predictions) -> str:
    found = errors(rows)
    cells = [f"{m:.2f} ({low:.2f} to {high:.2f})" for m, low, high in (interval(rows.person, found[name]) for name in ("crps", "mae"))]
    shares = [f"{found[name].mean():.2f}" for name in ("cover_80", "cover_95")]
    return f"| {label} | {len(rows)} | {' | '.join(cells + shares)} |"


def versus(label: str, rows: Predictions, rival: np.ndarray) -> tuple[str, float]:
    """Our error minus the rival's (a point forecast: its CRPS is its absolute error), paired within people."""
    found = errors(rows)
    cells = [f"{np.abs(rival - rows.score).mean():.2f}"]
    worst = 0.0
    for name in ("crps", "mae"):
        gain = found[name] - np.abs(rival - rows.score)
        _, code = np.unique(rows.person, return_inverse=True)
        by_person = np.bincount(code, gain) / np.bincount(code)
        mean, low, high = interval(np.arange(len(by_person)), by_person)
        p = float(ttest_1samp(by_person, 0).pvalue)
        worst = max(worst, p)
        cells.append(f"{mean:.2f} ({low:.2f} to {high:.2f}), p {'< 0.0001' if p < 1e-4 else f'= {p:.4f}'}")
    return f"| {label} | {' | '.join(cells)} |", worst

