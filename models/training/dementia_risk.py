"""dementia-risk: probability of a dementia diagnosis within 3 and 5 years from PAQUID.

Every visit of a person not yet demented is a landmark. At each horizon people lost before it weigh nothing and the
others stand in for them (inverse probability of censoring). One ridge regression per set of known inputs is fitted to
both horizons at once and reproduced, on masked synthetic people, by one tree ensemble; the horizons differ by a
constant on the log-odds scale (proportional odds), so the 3-year risk never exceeds the 5-year risk.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd
from onnx import helper
from scipy.special import expit

from . import card as cards
from .artefact import DISCLAIMER, SHAP_MEASURE, evidence, golden_json, golden_matrix, model_folder, model_input, stable_json
from .distillation import (LEVEL, REPLICATES, WIDTH, fit_log_error, fit_student, interval_method, interval_nodes,
                           logistic_per_subset, resampled_people)  # fmt: skip
from .evaluation import METRICS, calibration_points, measure, person_folds, resampled_weights
from .graph import LEAF_QUANTUM, assert_reproduces, build_model, constant, tree_ensemble, trees_of
from .masking import blended_people, hot_deck, only_columns, random_masks
from .trees import mean_absolute_shap

INPUTS = ["age", "sex", "education", "mmse_score", "bvrt", "ist", "cesd"]
AGE, SEX, EDUCATION, MMSE, BVRT, IST, CESD = range(7)
TESTS = [MMSE, BVRT, IST, CESD]
MONOTONE = [1, 0, 0, -1, -1, -1, 0]
HORIZONS = (3, 5)
SUBSETS = {
    "all inputs": (0, 1, 2, 3, 4, 5, 6),
    "age and mmse_score": (0, 3),
    "age, sex, education and mmse_score": (0, 1, 2, 3),
    "without mmse_score": (0, 1, 2, 4, 5, 6),
    "without age": (1, 2, 3, 4, 5, 6),
    "age, sex and education": (0, 1, 2),
    "mmse_score alone": (3,),
    "age alone": (0,),
}
OFTEN_ASKED = {SUBSETS["all inputs"]: 0.25, SUBSETS["age and mmse_score"]: 0.15}
CV_SEEDS = range(5)
SYNTHETIC_ROWS = 30_000
STUDENT_TREES = 64
ERROR_TREES = 12


@dataclass
class Landmarks:
    """Visits before diagnosis: features in `INPUTS` order, years to diagnosis or last contact, diagnosed or not, person."""

    rows: np.ndarray
    years: np.ndarray
    diagnosed: np.ndarray
    person: np.ndarray

    def take(self, index: np.ndarray) -> Landmarks:
        return Landmarks(self.rows[index], self.years[index], self.diagnosed[index], self.person[index])


def read_landmarks(data: Path) -> Landmarks:
    """Visits at or after the diagnosis, and last visits with nothing after them, are no landmarks."""
    visits = pd.read_csv(data / "paquid" / "paquid.csv")
    visits = visits[visits["age"] < visits["agedem"]]
    rows = visits[["age", "male", "CEP", "MMSE", "BVRT", "IST", "CESD"]].to_numpy(float)
    years = (visits["agedem"] - visits["age"]).to_numpy(float)
    return Landmarks(rows, years, visits["dem"].to_numpy(int), visits["ID"].to_numpy(int))


def censoring_weights(landmarks: Landmarks, horizon: float) -> tuple[np.ndarray, np.ndarray]:
    """(label, weight): diagnosed within the horizon, and 1 / probability of still being followed when that was known.

    The probability is the Kaplan-Meier curve of the time to censoring: just before the diagnosis for cases, at the
    horizon for the others. Visits censored before the horizon weigh 0.
    """
    censored_at = np.unique(landmarks.years[landmarks.diagnosed == 0])
    survival = np.cumprod([
        1 - np.sum((landmarks.years == time) & (landmarks.diagnosed == 0)) / np.sum(landmarks.years >= time) for time in censored_at
    ])  # fmt: skip
    followed = np.concatenate([[1.0], survival])
    before = followed[np.searchsorted(censored_at, landmarks.years, side="left")]
    at_horizon = followed[np.searchsorted(censored_at, horizon, side="right")]
    case = (landmarks.diagnosed == 1) & (landmarks.years <= horizon)
    return case.astype(int), np.where(case, 1 / before, np.where(landmarks.years > horizon, 1 / at_horizon, 0.0))


def complete_tests(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Missing tests filled from visits alike in all other inputs.

    In the data a test is missing mostly when a frail person could not do it; a caller who leaves it out has rarely asked
    for it. So absence itself is given no meaning: only what the other inputs say of the person is kept.
    """
    filled = rows
    for column in TESTS:
        like = [other for other in range(len(INPUTS)) if other != column]
        filled = np.where(np.isnan(filled), hot_deck(rows, column, like, rng), filled)
    return filled


def _terms(rows: np.ndarray, known: list[int]) -> np.ndarray:
    """Terms of the regressions; the last column of `rows` is the horizon, whose wide scale leaves it unpenalised."""
    columns = [(rows[:, -1] - 4) * 2.5]
    for column in known:
        value = rows[:, column]
        if column == MMSE:
            columns += [np.log1p(30 - value), (30 - value) / 4]
        elif column == CESD:
            columns.append(np.log1p(value))
        else:
            centre, scale = {AGE: (80, 7), SEX: (0.4, 0.5), EDUCATION: (0.75, 0.43), BVRT: (11, 2.3), IST: (27, 6)}[column]
            columns.append((value - centre) / scale)
    return np.column_stack(columns)


def with_horizon(rows: np.ndarray, horizon: float) -> np.ndarray:
    return np.column_stack([rows, np.full(len(rows), horizon)])


def fit_teacher(landmarks: Landmarks, seed: int):
    """(rows) -> log-odds at 4 years, between the horizons, and half the distance between 3 and 5 years."""
    complete = complete_tests(landmarks.rows, np.random.default_rng(seed))
    stacked, labels, weights = [], [], []
    for horizon in HORIZONS:
        label, weight = censoring_weights(landmarks, horizon)
        stacked.append(with_horizon(complete, horizon)[weight > 0])
        labels.append(label[weight > 0])
        # Each visit appears at both horizons: half its weight each keeps the ridge penalty in proportion.
        weights.append(weight[weight > 0] / 2)
    fitted = logistic_per_subset(
        np.vstack(stacked), np.concatenate(labels), np.concatenate(weights), len(INPUTS), _terms, strength=0.2
    )

    def predict(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        early, late = (fitted(with_horizon(rows, horizon)) for horizon in HORIZONS)
        return (early + late) / 2, (late - early) / 2

    return predict


def synthetic_people(landmarks: Landmarks, count: int, seed: int) -> np.ndarray:
    """Masked, jittered rows that cover the inputs more densely and more widely than the visits do."""
    rng = np.random.default_rng(seed)
    complete = complete_tests(landmarks.rows, rng)
    rows = complete[rng.integers(0, len(complete), count)] + rng.normal(0, [2.5, 0, 0, 1.2, 1.2, 2.5, 3], (count, len(INPUTS)))
    anywhere = rng.random(count) < 0.15
    rows[anywhere, MMSE] = rng.integers(10, 31, anywhere.sum())
    for column in TESTS:
        rows[:, column] = np.round(rows[:, column])
    rows = np.clip(rows, [62, 0, 0, 0, 0, 0, 0], [105, 1, 1, 30, 15, 40, 60])
    rows[random_masks(*rows.shape, rng, OFTEN_ASKED)] = np.nan
    return rows


@dataclass
class Fitted:
    """Tree ensemble of the log-odds at 4 years, half the distance between the horizons, distance from the teacher."""

    booster: lgb.Booster
    step: float
    distance: float

    def log_odds(self, rows: np.ndarray, horizon: int) -> np.ndarray:
        return self.booster.predict(rows) + (self.step if horizon == HORIZONS[1] else -self.step)


def fit(landmarks: Landmarks, people: np.ndarray, seed: int) -> Fitted:
    middle, step = fit_teacher(landmarks, seed)(people)
    booster, distance = fit_student(np.clip(middle, -7, 6), people, STUDENT_TREES, MONOTONE, seed)
    return Fitted(booster, round(float(np.mean(step)) / LEAF_QUANTUM) * LEAF_QUANTUM, distance)


def refitted_answers(landmarks: Landmarks, rows: np.ndarray) -> list[np.ndarray]:
    """The teacher's log-odds, once per resample of the people."""
    answers = []
    for replicate in range(REPLICATES):
        index, person = resampled_people(landmarks.person, replicate)
        answers.append(fit_teacher(replace(landmarks.take(index), person=person), 1000 + replicate)(rows)[0])
    return answers


def export(fitted: Fitted, log_error: lgb.Booster) -> bytes:
    nodes = [
        tree_ensemble(trees_of(fitted.booster), "features", "score"),
        tree_ensemble(trees_of(log_error), "features", "log_error"),
        helper.make_node("Exp", ["log_error"], ["error"]),
        helper.make_node("Mul", ["error", "width"], ["half_width"]),
    ]
    outputs = []
    for horizon in HORIZONS:
        names = [f"log_odds_{horizon}y", f"risk_{horizon}y", f"lower_{horizon}y", f"upper_{horizon}y"]
        nodes += [
            helper.make_node("Add", ["score", f"step_{horizon}y"], [names[0]]),
            helper.make_node("Sigmoid", [names[0]], [names[1]]),
            *interval_nodes(names[0], "half_width", names[2], names[3]),
        ]
        outputs += names
    constants = [constant("width", WIDTH), constant("step_3y", -fitted.step), constant("step_5y", fitted.step)]
    return build_model("dementia-risk", len(INPUTS), nodes, constants, outputs)


def expected_outputs(fitted: Fitted, log_error: lgb.Booster, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The same answers by LightGBM's own float64 prediction and numpy: independent of the exported graph."""
    half = WIDTH * np.exp(log_error.predict(rows))
    expected = {}
    for horizon in HORIZONS:
        score = fitted.log_odds(rows, horizon)
        expected |= {f"log_odds_{horizon}y": score, f"risk_{horizon}y": expit(score)}
        expected |= {f"lower_{horizon}y": expit(score - half), f"upper_{horizon}y": expit(score + half)}
    return expected


def cross_validate(landmarks: Landmarks) -> dict[tuple[str, int], list[np.ndarray]]:
    """Held-out risks per subset of inputs and horizon, once per seed; the whole pipeline is refitted without the fold."""
    answers = {(name, horizon): [] for name in SUBSETS for horizon in HORIZONS}
    for seed in CV_SEEDS:
        fold = person_folds(landmarks.person, 5, seed)
        held_out = {key: np.zeros(len(fold)) for key in answers}
        for number in range(5):
            training = landmarks.take(fold != number)
            fitted = fit(training, synthetic_people(training, SYNTHETIC_ROWS, seed), seed)
            for name, horizon in answers:
                rows = only_columns(landmarks.rows[fold == number], SUBSETS[name])
                held_out[name, horizon][fold == number] = expit(fitted.log_odds(rows, horizon))
        for key, values in held_out.items():
            answers[key].append(values)
    return answers


GOLDEN_ROWS: list[list[float | None]] = [
    [72, None, None, 24, None, None, None],
    [72, None, None, 29, None, None, None],
    [85, None, None, 27, None, None, None],
    [91, None, None, 20, None, None, None],
    [None, None, None, 26, None, None, None],
    [68, None, None, None, None, None, None],
    [88, None, None, None, None, None, None],
    [70, 0, 1, 29, 13, 33, 4],
    [78, 1, 0, 25, 10, 24, 12],
    [84, 0, 1, 26, 9, 22, 20],
    [90, 1, 1, 23, 8, 19, 7],
    [81, 0, 0, 19, 6, 14, 25],
    [66, 1, 1, 30, 15, 39, 0],
    [79, 0, 1, None, 10, 23, 9],
    [83, 1, 0, None, None, 21, None],
    [None, 0, 1, 27, 11, 26, 6],
    [76, 1, 1, None, None, None, None],
    [87, 0, 0, 24, None, None, 16],
    [74, None, None, 28, 12, None, None],
    [93, 0, 1, 28, 11, 25, None],
    [None, None, None, None, 7, 15, None],
    [100, 1, 0, 5, 2, 6, 45],
]
TITLE = "Dementia risk: probability of dementia within 3 and 5 years"
LIMITS = [
    "For people of about 65 or more who are not demented now; it does not say whether dementia is already present.",
    "Deaths are not recorded in the data: people who died count as lost to follow-up, so the figure is the risk if death does "
    "not come first, and too high as the share of very old people who will live to be diagnosed.",
    "Diagnoses were made at visits two to three years apart and are dated between them.",
    "French cohort recruited in 1988 to 1989; education then, and dementia incidence since, differ from today's.",
    "An absent test is read as not asked. In the cohort tests were often missing because a frail person could not do them: when that is "
    "why a test is absent, the true risk is higher than shown.",
    "Sex 1 = male; education is one yes-or-no item and not years of schooling.",
]
INTENDED_USE = (
    "Decision support for clinicians: the probability of a dementia diagnosis within 3 and 5 years for a person of about 65 or more without "
    "dementia, from any of age, sex, education, MMSE, Benton, Isaacs and CES-D."
)
NOT_FOR = [
    "People below 60; between 60 and 66 the model extrapolates.",
    "People who are demented now, or asking whether they are.",
    "People whose tests are absent because they could not do them: the true risk is higher than shown.",
]
TERMS = (
    "Fitted on the `paquid` sample of the R package lcmm, which is distributed under GPL-2 or later. Only fitted, aggregate "
    "parameters are shipped; the model folder holds no person's record."
)
ACKNOWLEDGEMENT = (
    "PAQUID cohort, Inserm and University of Bordeaux. Letenneur et al. 1994, Int J Epidemiol 23:1256; Proust-Lima, Philipps and "
    "Liquet 2017, doi:10.18637/jss.v078.i02."
)


def _inputs(rows: np.ndarray) -> list[dict]:
    low, high = np.nanquantile(rows, [0.01, 0.99], axis=0)

    def typical(column: int) -> dict:
        return {"typical": {"low": round(float(low[column])), "high": round(float(high[column]))}}

    return [
        model_input("age", "Age", "Age at the visit. The cohort was 65 or older at entry; below 60 the model does not answer.", "years", 60, 110,
                    **typical(AGE), unit_hints=[{"min": 720, "max": 1320, "unit": "months"}]),
        model_input("sex", "Sex", "Sex as recorded: 0 female, 1 male.", "0 or 1", 0, 1, integer=True, words={"female": 0, "male": 1}),
        model_input("education", "Primary-school diploma", "1: holds the primary-school diploma (certificat d'etudes primaires) or any higher one; "
                    "0: holds none. Not years of education.", "0 or 1", 0, 1, integer=True, words={"no_diploma": 0, "primary_diploma": 1}),
        model_input("mmse_score", "MMSE", "Mini-Mental State Examination, total score.", "points", 0, 30, integer=True, **typical(MMSE)),
        model_input("bvrt", "Benton Visual Retention Test", "Benton Visual Retention Test, multiple choice, correct figures.", "points", 0, 15,
                    integer=True, **typical(BVRT)),
        model_input("ist", "Isaacs Set Test", "Isaacs Set Test shortened to 15 seconds: words in four categories.", "words", 0, 40,
                    integer=True, **typical(IST)),
        model_input("cesd", "CES-D", "Center for Epidemiologic Studies Depression scale, total score.", "points", 0, 60, integer=True, **typical(CESD)),
    ]  # fmt: skip


def _card(landmarks: Landmarks, fitted: Fitted, log_error: lgb.Booster, reference: np.ndarray) -> tuple[bytes, dict[str, float], dict]:
    """The card, and the metrics and the evidence of the manifest."""
    answers = cross_validate(landmarks)
    resamples = resampled_weights(landmarks.person, 300, 9)
    outcome = {horizon: censoring_weights(landmarks, horizon) for horizon in HORIZONS}

    def estimates(subset: str, horizon: int, group: np.ndarray | None = None) -> list[cards.Estimate]:
        label, weight = outcome[horizon]
        chosen = (weight > 0) & (True if group is None else group)
        repeats = [answer[chosen] for answer in answers[subset, horizon]]
        draws = [times[chosen] for times in resamples]
        return [measure(metric, label[chosen], repeats, weight[chosen], draws) for metric in METRICS.values()]

    def quality(subset: str, horizon: int, group: np.ndarray | None = None) -> list[str]:
        return [cards.with_interval(estimate) for estimate in estimates(subset, horizon, group)]

    age, male = landmarks.rows[:, AGE], landmarks.rows[:, SEX] == 1
    groups = {
        "female": ~male, "male": male,
        "age below 75": age < 75, "age 75 to 84": (age >= 75) & (age < 85), "age 85 and over": age >= 85,
    }  # fmt: skip
    counts = [
        f"{int((label[weight > 0] == 1).sum())} diagnosed within {horizon} years, {int((weight > 0).sum())} with a known status then"
        for horizon, (label, weight) in outcome.items()
    ]
    header = ["AUC", "Brier", "calibration slope", "predicted minus observed"]
    by_horizon = {
        f"quality_{horizon}y": cards.table(["", *header], ([name, *quality(name, horizon)] for name in SUBSETS)) for horizon in HORIZONS
    } | {
        f"groups_{horizon}y": cards.table(
            ["", "visits", *header], ([name, int(group.sum()), *quality("all inputs", horizon, group)] for name, group in groups.items())
        )
        for horizon in HORIZONS
    }
    def calibration(horizon: int) -> list[dict[str, float]]:
        label, weight = outcome[horizon]
        known = weight > 0
        return calibration_points(label[known], [answer[known] for answer in answers["all inputs", horizon]], weight[known])

    points = {horizon: calibration(horizon) for horizon in HORIZONS}
    by_horizon |= {f"calibration_{horizon}y": cards.calibration_table(points[horizon]) for horizon in HORIZONS}
    importance = mean_absolute_shap(fitted.booster, reference)
    people, women = len(np.unique(landmarks.person)), len(np.unique(landmarks.person[~male]))
    card = cards.render(
        "dementia-risk", title=TITLE, limits=cards.bullets(LIMITS), terms=TERMS, acknowledgement=ACKNOWLEDGEMENT,
        visits=len(age), people=people, women=women,
        youngest=age.min(), oldest=age.max(), counts="; ".join(counts),
        trees=STUDENT_TREES, distance=fitted.distance, gap=2 * fitted.step, splits=len(CV_SEEDS),
        level=LEVEL, method=interval_method(fitted.distance), half_width=np.median(WIDTH * np.exp(log_error.predict(reference))),
        importance=cards.importance_table(INPUTS, importance), **by_horizon,
    )  # fmt: skip
    metrics = {}
    for horizon in HORIZONS:
        for name, (value, _, _) in zip(["auc", "brier", "calibration_slope"], estimates("all inputs", horizon)):
            metrics[f"{name}_{horizon}y"] = round(value, 4)
    return card, metrics, evidence(
        INTENDED_USE, NOT_FOR,
        f"PAQUID, France: {len(age)} visits before diagnosis of {people} people ({women} women), ages {age.min():.0f} to {age.max():.0f}, "
        f"first seen in 1988 to 1989. {'; '.join(counts)}.",
        f"Five-fold cross-validation by person on the same people, weighted for censoring, mean over {len(CV_SEEDS)} random splits; no other cohort.",
        [
            {"title": f"Dementia within {horizon} years, all inputs", "output": f"risk_{horizon}y", "points": points[horizon]}
            for horizon in HORIZONS
        ],
        (SHAP_MEASURE, cards.importance_values(INPUTS, importance)),
    )  # fmt: skip


def _reference_people(landmarks: Landmarks) -> np.ndarray:
    complete = complete_tests(landmarks.rows, np.random.default_rng(0))
    return blended_people(complete, landmarks.rows, landmarks.person, {AGE: 1}, 100, np.random.default_rng(1))


def build(data: Path) -> dict[str, bytes]:
    landmarks = read_landmarks(data)
    people = synthetic_people(landmarks, SYNTHETIC_ROWS, 0)
    fitted = fit(landmarks, people, 0)
    log_error = fit_log_error(refitted_answers(landmarks, people), people, fitted.distance, ERROR_TREES)
    model = export(fitted, log_error)

    golden_rows = golden_matrix(GOLDEN_ROWS)
    expected = expected_outputs(fitted, log_error, golden_rows)
    sample = people[:5000].astype(np.float32)
    assert_reproduces(model, sample, expected_outputs(fitted, log_error, sample))
    assert_reproduces(model, golden_rows, expected)
    golden = [
        {
            f"risk_{horizon}y": {
                key: round(float(expected[f"{name}_{horizon}y"][row]), 9)
                for key, name in (("value", "risk"), ("lower", "lower"), ("upper", "upper"))
            }
            for horizon in HORIZONS
        }
        for row in range(len(GOLDEN_ROWS))
    ]
    reference = _reference_people(landmarks)
    card, metrics, stated = _card(landmarks, fitted, log_error, reference)
    manifest = {
        "manifest_version": 1, "kind": "risk", "name": "dementia-risk", "version": "1", "title": TITLE,
        "summary": "Probability of a dementia diagnosis within 3 and within 5 years, from any subset of age, sex, education, MMSE, Benton, Isaacs and CES-D.",
        "disclaimer": DISCLAIMER,
        "inputs": _inputs(landmarks.rows),
        "limits": LIMITS, "terms": TERMS, "acknowledgement": ACKNOWLEDGEMENT, "metrics": metrics, "evidence": stated,
        "graph": {"file": "model.onnx", "input": "features", "dtype": "float32", "max_batch": 4096},
        "missing": {"rule": "native"},
        "outputs": [{
            "name": f"risk_{horizon}y", "title": f"Probability of dementia within {horizon} years", "value": {"tensor": f"risk_{horizon}y"},
            "lower": {"tensor": f"lower_{horizon}y"}, "upper": {"tensor": f"upper_{horizon}y"}, "horizon_years": horizon,
        } for horizon in HORIZONS],
        "primary_output": "risk_5y",
        "categories": [{"name": "low", "below": 0.1}, {"name": "moderate", "below": 0.25}, {"name": "high", "below": 0.5}, {"name": "very_high"}],
        "categories_origin": "Set for this service, not taken from a guideline.",
        "interval": {"level": LEVEL, "method": interval_method(fitted.distance)},
        "calibration": {"method": "Ridge strength in training; slope and mean checked by censoring-weighted cross-validation by person, per set of known inputs."},
        "explanation": {"method": "auto", "space": "log_odds", "background": "background.json"},
    }  # fmt: skip
    return model_folder(manifest, {
        "model.onnx": model, "card.md": card, "golden.json": golden_json(INPUTS, GOLDEN_ROWS, golden),
        "background.json": stable_json({"rows": reference.tolist()}),
    })  # fmt: skip
