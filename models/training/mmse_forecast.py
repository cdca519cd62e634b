"""Rebuilds models/mmse-forecast/1 and names the files that changed:
`python models/training/mmse_forecast.py --data DIR --out models`, where DIR holds paquid/paquid.csv."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np

# Found beside this file both as a script and as a module of the training package.
sys.path.insert(0, str(Path(__file__).resolve().parent))
import forecast_card  # noqa: E402
import forecast_evaluation as evaluation  # noqa: E402
import forecast_process as process  # noqa: E402

NAME, VERSION = "mmse-forecast", "1"
DISCLAIMER = "Decision support, not diagnosis: a clinician must interpret this forecast together with the person's history."
TERMS = (
    "Fitted on the PAQUID sample of the R package lcmm (GPL version 2 or later; Inserm and University of Bordeaux). "
    "The folder holds fitted coefficients and population shares, no person's record; the golden cases are invented."
)
ACKNOWLEDGEMENT = (
    "PAQUID: Letenneur et al. 1994, Int J Epidemiol 23:1256. Sample and beta link: Proust-Lima, Philipps, Liquet 2017, "
    "J Stat Softw 78(2), doi:10.18637/jss.v078.i02."
)
LIMITS = [
    "One French cohort of people aged 65 and over, living at home at entry, first seen around 1988; other countries, languages, younger people and memory clinics were not seen.",
    "The forecast holds for people who live and can be tested at that date: those who died, refused or were too ill are not in its measured errors, and PAQUID lost the frailest first, so real decline is faster than the forecast on average.",
    "Scores of 29 and 30 hide differences between people (ceiling); a fall may be seen late.",
    "Repeated tests within a year were hardly seen (1.5 % of gaps below 18 months, where the answer warns): noise at short gaps is inferred, and practice effects are not modelled.",
    "After a sharp fall between two visits the forecast is about one point too hopeful: part of such a fall is taken for a bad day.",
    "A last score that had a chance below 1 % given those before it was hardly seen (10 people with a later score), and the answer warns. Starting anew from such a score forecast worse (CRPS 1.47 instead of 1.23), so the forecast stays as it is.",
    "Scores below 18 with a later one were hardly seen (19 people, 25 visits): the forecast after them was 1.5 points too hopeful, and the answer warns.",
    "The MMSE alone, with age, sex and education: treatment, stroke, depression and other tests are not used.",
]
INTENDED_USE = "Decision support for clinicians: the MMSE scores to expect of a person of 65 or more, from the person's own dated scores."
NOT_FOR = [
    "People below 65, or seen in a memory clinic: they are not in the training data.",
    "Judging the effect of a treatment: treatment is not an input.",
    "Diagnosing dementia.",
]
# Limits of `trained`: as far as this many people with a later score went.
FOLLOWED_PEOPLE = 20
# Of the model as it was chosen; the training command fits the two-course model only.
DESIGN = """| one course | 1.341 | 1.831 |
| two courses | 1.280 | 1.736 |"""
# Invented people, chosen to reach every branch: none, one and many visits, ceiling, floor, gaps, old history, gaps in
# the covariates, ages beyond the training range.
ALL = {"age": 78.4, "sex": 0, "education": 1}
CASES: list[tuple[dict[str, float], list[tuple[str, int]], str, list[float]]] = [
    (ALL, [], "2026-03-01", [6, 12, 24]),
    ({}, [], "2026-03-01", [6, 12, 24, 60]),
    (ALL, [("2026-03-01", 27)], "2026-03-01", [6, 12, 24]),
    ({"age": 71, "sex": 1, "education": 0}, [("2025-09-14", 24)], "2026-03-01", [6, 12, 24]),
    (ALL, [("2020-01-05", 30), ("2022-02-11", 30), ("2024-03-03", 30), ("2026-02-28", 30)], "2026-03-01", [6, 12, 24, 120]),
    ({"age": 84.2, "sex": 1, "education": 1}, [("2009-05-01", 28), ("2010-05-20", 29), ("2012-06-01", 28), ("2016-01-10", 26), ("2016-04-02", 27), ("2019-11-30", 25), ("2023-07-07", 23), ("2024-08-15", 24), ("2025-12-24", 21)], "2026-03-01", [1, 6, 12, 24, 36.5]),
    ({"age": 88, "sex": 0, "education": 0}, [("2021-03-01", 28), ("2023-03-01", 18), ("2025-03-01", 9)], "2026-03-01", [6, 12, 24]),
    ({"age": 90.5, "sex": 0}, [("2022-03-01", 12), ("2024-03-01", 3), ("2026-01-01", 0)], "2026-03-01", [6, 12, 24]),
    ({}, [("2019-06-30", 29), ("2021-07-04", 27), ("2024-02-29", 26)], "2026-03-01", [6, 12, 24]),
    ({"sex": 1, "education": 1}, [("2012-01-01", 26), ("2013-01-01", 28)], "2026-03-01", [6, 12, 24]),
    ({"age": 58, "education": 1}, [("2025-02-01", 30)], "2026-03-01", [12, 240]),
    ({"age": 99.5, "sex": 0, "education": 1}, [("2024-02-01", 22), ("2025-02-03", 23)], "2026-03-01", [6, 24, 60]),
]


def population_of(people: process.People) -> dict[str, Any]:
    """Who a person with unknown covariates may be: five equally likely ages at a visit, and the shares at entry."""
    ages = np.quantile(people.age[people.seen], [0.1, 0.3, 0.5, 0.7, 0.9])
    return {"ages": [round(float(age), 1) for age in ages], "male": round(float(people.male.mean()), 3), "education": round(float(people.education.mean()), 3)}


def trained_of(people: process.People) -> dict[str, int]:
    """Lowest score, and shortest gap in months, that enough people with a later score reached."""
    followed = people.seen[:, 1:]
    lowest = np.where(followed, people.score[:, :-1], np.inf).min(1)
    shortest = np.where(followed, np.diff(people.age, axis=1), np.inf).min(1)
    score, gap = (np.sort(values)[FOLLOWED_PEOPLE - 1] for values in (lowest, shortest))
    return {"lowest_score": int(score), "shortest_gap_months": int(gap * 12)}


def parameters_of(model: dict[str, Any], population: dict[str, Any], people: process.People, checked_months: int) -> dict[str, Any]:
    ages = people.age[people.seen]
    return {
        "parameters_version": 1,
        "age": {
            "reference_years": process.AGE_REFERENCE,
            "scale_years": process.AGE_SCALE,
            "ceiling_years": process.AGE_CEILING,
            "trained_years": [int(np.floor(ages.min())), int(np.ceil(np.quantile(ages, 0.999)))],
        },
        "link": {
            "beta_shapes": list(map(float, model["shapes"])),
            "thresholds": list(map(float, model["thresholds"])),
            "scores": list(map(float, model["places"])),
        },
        "noise_sd": float(model["noise"]),
        "intercept_sd": float(model["intercept"]),
        "walk_age_rate": model["walk_rate"],
        "decline_age_rate": model["decline_rate"],
        "effects": {"male": model["male"], "education": model["education"]},
        "courses": [
            {"name": name, "weight": float(course["weight"]), "level": course["level"], "decline": course["decline"], "walk_sd": float(course["walk"])}
            for name, course in zip(process.COURSES, model["courses"], strict=True)
        ],
        "population": population,
        "trained": trained_of(people),
        "checked_months": checked_months,
    }


def golden_of(model: dict[str, Any], population: dict[str, Any]) -> dict[str, Any]:
    cases = []
    for covariates, visits, start, horizons in CASES:
        case = {"history": [{"at": at, "value": value} for at, value in visits], "covariates": covariates, "from": start, "horizons_months": horizons}
        cases.append({**case, "forecast": process.forecast(model, population, case)})
    return {"tolerance": 1e-6, "cases": cases}


def manifest_of(people: process.People, metrics: dict[str, float], evidence: dict[str, Any], files: dict[str, bytes]) -> dict[str, Any]:
    low, high = np.quantile(people.age[people.seen], [0.01, 0.99])
    coded = {"min": 0, "max": 1, "integer": True}
    return {
        "manifest_version": 1,
        "kind": "forecast",
        "name": NAME,
        "version": VERSION,
        "title": "MMSE forecast: the score to come, with its uncertainty",
        "summary": "Full predictive distribution of the MMSE (0 to 30) at any horizon from the person's own dated scores, with age, sex and education where known.",
        "disclaimer": DISCLAIMER,
        "inputs": [
            {"name": "mmse_score", "title": "MMSE", "description": "Mini-Mental State Examination, total score; the dated history of the person.", "unit": "points", "min": 0, "max": 30, "integer": True},
            {"name": "age", "title": "Age", "description": "Age at the reference date of the forecast.", "unit": "years", "min": 18, "max": 120, "typical": {"low": round(float(low), 1), "high": round(float(high), 1)}, "unit_hints": [{"min": 216, "max": 1440, "unit": "months"}]},
            {"name": "sex", "title": "Sex", "description": "Sex as recorded: 0 female, 1 male.", "unit": "0 or 1", **coded, "words": {"female": 0, "male": 1}},
            {"name": "education", "title": "Education", "description": "1: primary-school diploma or more; 0: none.", "unit": "0 or 1", **coded},
        ],
        "limits": LIMITS,
        "terms": TERMS,
        "acknowledgement": ACKNOWLEDGEMENT,
        "metrics": metrics,
        "evidence": evidence,
        "parameters": "parameters.json",
        "metric": "mmse_score",
        "horizons_months": [6, 12, 24],
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())},
    }


def build(data: Path) -> dict[str, bytes]:
    """Every file of the model folder, by name."""
    people = process.read_people(data / "paquid" / "paquid.csv")
    population = population_of(people)
    later, first, bare = evaluation.cross_validate(people, population)
    checked_months = int(np.quantile(later.gap_years, 0.99)) * 12
    model = process.fit(people)
    texts = {"limits": LIMITS, "terms": TERMS, "acknowledgement": ACKNOWLEDGEMENT, "design": DESIGN, "intended_use": INTENDED_USE, "not_for": NOT_FOR}
    metrics, stated, card = forecast_card.card_of(people, model, later, first, bare, texts)
    files = {
        "card.md": card.encode(),
        "golden.json": _json(golden_of(model, population)),
        "parameters.json": _json(parameters_of(model, population, people, checked_months)),
    }
    return {**files, "manifest.json": _json(manifest_of(people, metrics, stated, files))}


def _json(value: Any) -> bytes:
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    # Lists of numbers on one line.
    return (re.sub(r"\[[\s\d.,eE+-]+\]", lambda match: " ".join(match[0].split()).replace("[ ", "[").replace(" ]", "]"), text) + "\n").encode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds paquid/paquid.csv")
    parser.add_argument("--out", type=Path, required=True, help="folder of the models")
    arguments = parser.parse_args()
    folder = arguments.out / NAME / VERSION
    folder.mkdir(parents=True, exist_ok=True)
    changed = []
    for name, content in build(arguments.data).items():
        path = folder / name
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
            changed.append(name)
    print(f"{NAME}: " + (f"changed {', '.join(changed)}" if changed else "identical"))


if __name__ == "__main__":
    main()
