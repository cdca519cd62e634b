"""impairment-screen: probability of present cognitive impairment (CDR > 0) from OASIS-1 and OASIS-2.

Teacher: the mean log-odds of (a) one ridge logistic regression per set of known inputs and (b) bagged boosted trees
trained on masked copies. Student: one small monotone tree ensemble that reproduces the teacher on masked synthetic
people; that student alone is shipped. A second, smaller ensemble gives the log standard error of the log-odds.
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
from .distillation import (LEVEL, REPLICATES, WIDTH, LogOdds, fit_log_error, fit_student, interval_method, interval_nodes,
                           logistic_per_subset, resampled_people)  # fmt: skip
from .evaluation import METRICS, calibration_points, measure, person_folds, person_weights, resampled_weights
from .graph import assert_reproduces, build_model, constant, tree_ensemble, trees_of
from .masking import blended_people, hot_deck, only_columns, random_masks
from .trees import boost, mean_absolute_shap

INPUTS = ["mmse_score", "age", "sex", "education_years", "ses", "nwbv", "etiv"]
MMSE, AGE, SEX, EDUCATION, SES, NWBV, ETIV = range(7)
MONOTONE = [-1, 0, 0, 0, 0, -1, 0]
# OASIS-1 codes its education 1 to 5; these are the usual years of each level.
EDUCATION_YEARS = {1: 8, 2: 12, 3: 14, 4: 16, 5: 18}
SUBSETS = {
    "all inputs": (0, 1, 2, 3, 4, 5, 6),
    "mmse_score and age": (0, 1),
    "mmse_score alone": (0,),
    "without mmse_score": (1, 2, 3, 4, 5, 6),
    "no imaging": (0, 1, 2, 3, 4),
    "age, sex and imaging": (1, 2, 5, 6),
    "age alone": (1,),
}
OFTEN_ASKED = {SUBSETS["all inputs"]: 0.2, SUBSETS["mmse_score and age"]: 0.15, SUBSETS["without mmse_score"]: 0.15}
CV_SEEDS = range(5)
SYNTHETIC_ROWS = 30_000
# More trees follow the teacher hardly better and cost throughput.
STUDENT_TREES = 64
ERROR_TREES = 12


@dataclass
class Sessions:
    """Visits with a known CDR: features in `INPUTS` order, label, person and source study."""

    rows: np.ndarray
    label: np.ndarray
    person: np.ndarray
    study: np.ndarray

    def take(self, index: np.ndarray) -> Sessions:
        return Sessions(self.rows[index], self.label[index], self.person[index], self.study[index])


def read_sessions(data: Path) -> Sessions:
    """Both files; rescans dropped, and a person in both files taken from the longitudinal one only."""
    first = pd.read_csv(data / "oasis" / "oasis_cross-sectional.csv")
    second = pd.read_csv(data / "oasis" / "oasis_longitudinal.csv")
    first = first[~first["ID"].str.endswith("_MR2") & ~first["person"].isin(second["person"])].assign(study=1)
    first["EDUC"] = first["Educ"].map(EDUCATION_YEARS)
    both = pd.concat([first, second.assign(study=2)])
    both = both[both["CDR"].notna()]
    both["male"] = (both["M/F"] == "M").astype(float)
    rows = both[["MMSE", "Age", "male", "EDUC", "SES", "nWBV", "eTIV"]].to_numpy(float)
    return Sessions(rows, (both["CDR"] > 0).to_numpy(int), both["person"].to_numpy(str), both["study"].to_numpy())


def _terms(rows: np.ndarray, known: list[int]) -> np.ndarray:
    """Terms of the logistic regressions: two for MMSE errors, two for age, one for every other known input."""
    columns = []
    for column in known:
        value = rows[:, column]
        if column == MMSE:
            columns += [np.log1p(30 - value), (30 - value) / 6]
        elif column == AGE:
            decades = (np.clip(value, 50, 95) - 75) / 10
            columns += [decades, decades**2 / 1.5]
        else:
            centre, scale = {SEX: (0.4, 0.5), EDUCATION: (14.5, 3), SES: (2.4, 1.1), NWBV: (0.735, 0.044), ETIV: (1490, 177)}[column]
            columns.append((value - centre) / scale)
    return np.column_stack(columns) if columns else np.empty((len(rows), 0))


def _masked_trees(sessions: Sessions, weight: np.ndarray, seed: int, copies: int = 30) -> LogOdds:
    rng = np.random.default_rng(seed)
    masked = []
    for _ in range(copies):
        rows = hot_deck(sessions.rows, SES, [EDUCATION], rng)
        rows[random_masks(*rows.shape, rng, OFTEN_ASKED)] = np.nan
        masked.append(rows)
    booster = boost(
        np.vstack(masked), np.tile(sessions.label, copies), np.tile(weight, copies), 150, MONOTONE, seed,
        objective="binary", num_leaves=6, max_depth=3, learning_rate=0.05, lambda_l2=0.5 * copies,
        min_data_in_leaf=int(0.03 * copies * len(weight)), bagging_fraction=0.5, bagging_freq=1, feature_fraction=0.7, max_bin=63,
    )  # fmt: skip
    return lambda rows: booster.predict(rows, raw_score=True)


def fit_teacher(sessions: Sessions, seed: int, bags: int = 3) -> LogOdds:
    """0.6 x logistic per subset + 0.4 x bagged trees, in log-odds; a person's n visits weigh sqrt(n) in all."""
    weight = person_weights(sessions.person, 0.5)
    complete = hot_deck(sessions.rows, SES, [EDUCATION], np.random.default_rng(seed))
    smooth = logistic_per_subset(complete, sessions.label, weight, len(INPUTS), _terms, strength=1.0)
    bagged = [_masked_trees(sessions, weight, 100 * seed + bag) for bag in range(bags)]
    return lambda rows: 0.6 * smooth(rows) + 0.4 * np.mean([trees(rows) for trees in bagged], axis=0)


def synthetic_people(sessions: Sessions, count: int, seed: int) -> np.ndarray:
    """Masked, jittered rows that cover the inputs more densely and more widely than the sessions do."""
    rng = np.random.default_rng(seed)
    complete = hot_deck(sessions.rows, SES, [EDUCATION], rng)
    rows = complete[~np.isnan(complete).any(axis=1)]
    rows = rows[rng.integers(0, len(rows), count)] + rng.normal(0, [1.2, 3, 0, 1, 0.5, 0.015, 60], (count, len(INPUTS)))
    anywhere = rng.random(count) < 0.15
    rows[anywhere, MMSE] = rng.integers(0, 31, anywhere.sum())
    for column in (MMSE, AGE, EDUCATION, SES):
        rows[:, column] = np.round(rows[:, column])
    rows = np.clip(rows, [0, 18, 0, 0, 1, 0.5, 900], [30, 110, 1, 30, 5, 0.95, 2300])
    rows[random_masks(*rows.shape, rng, OFTEN_ASKED)] = np.nan
    return rows


def distil(teacher: LogOdds, rows: np.ndarray, seed: int) -> tuple[lgb.Booster, float]:
    """The shipped ensemble; the teacher's log-odds are held within 6 of zero, as far as the data can tell risks apart."""
    return fit_student(np.clip(teacher(rows), -6, 6), rows, STUDENT_TREES, MONOTONE, seed)


def refitted_answers(sessions: Sessions, rows: np.ndarray) -> list[np.ndarray]:
    """The teacher's log-odds, once per resample of the people."""
    answers = []
    for replicate in range(REPLICATES):
        index, person = resampled_people(sessions.person, replicate)
        sample = replace(sessions.take(index), person=person)
        answers.append(fit_teacher(sample, 1000 + replicate, bags=1)(rows))
    return answers


def export(student: lgb.Booster, log_error: lgb.Booster) -> bytes:
    nodes = [
        tree_ensemble(trees_of(student), "features", "log_odds"),
        helper.make_node("Sigmoid", ["log_odds"], ["probability"]),
        tree_ensemble(trees_of(log_error), "features", "log_error"),
        helper.make_node("Exp", ["log_error"], ["error"]),
        helper.make_node("Mul", ["error", "width"], ["half_width"]),
        *interval_nodes("log_odds", "half_width", "lower", "upper"),
    ]
    outputs = ["probability", "lower", "upper", "log_odds"]
    return build_model("impairment-screen", len(INPUTS), nodes, [constant("width", WIDTH)], outputs)


def expected_outputs(student: lgb.Booster, log_error: lgb.Booster, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The same answers by LightGBM's own float64 prediction and numpy: independent of the exported graph."""
    score = student.predict(rows)
    half = WIDTH * np.exp(log_error.predict(rows))
    return {"probability": expit(score), "lower": expit(score - half), "upper": expit(score + half), "log_odds": score}


def cross_validate(sessions: Sessions) -> dict[str, list[np.ndarray]]:
    """Held-out probabilities per subset of inputs, once per seed; the whole pipeline is refitted without the fold."""
    answers: dict[str, list[np.ndarray]] = {name: [] for name in SUBSETS}
    for seed in CV_SEEDS:
        fold = person_folds(sessions.person, 5, seed)
        held_out = {name: np.zeros(len(fold)) for name in SUBSETS}
        for number in range(5):
            training = sessions.take(fold != number)
            student, _ = distil(fit_teacher(training, seed), synthetic_people(training, SYNTHETIC_ROWS, seed), seed)
            for name, columns in SUBSETS.items():
                rows = only_columns(sessions.rows[fold == number], columns)
                held_out[name][fold == number] = expit(student.predict(rows))
        for name in SUBSETS:
            answers[name].append(held_out[name])
    return answers


GOLDEN_ROWS: list[list[float | None]] = [
    [24, 72, None, None, None, None, None],
    [30, 65, None, None, None, None, None],
    [27, 81, None, None, None, None, None],
    [18, 78, None, None, None, None, None],
    [26, None, None, None, None, None, None],
    [None, 74, None, None, None, None, None],
    [None, 88, None, None, None, None, None],
    [29, 70, 0, 16, 2, 0.76, 1420],
    [22, 76, 1, 12, 3, 0.69, 1580],
    [28, 84, 1, 18, 1, 0.71, 1690],
    [12, 69, 0, 8, 5, 0.7, 1310],
    [25, 90, 0, 12, 4, 0.665, 1390],
    [30, 58, 1, 20, 1, 0.81, 1625],
    [None, 77, 1, 14, 2, 0.705, 1530],
    [None, 68, 0, 16, 2, 0.78, 1370],
    [None, 82, 0, None, None, 0.672, 1455],
    [None, None, None, None, None, 0.74, None],
    [27, 73, 1, 13, None, None, None],
    [23, 79, 0, 11, 4, None, None],
    [28, None, 1, None, 3, 0.72, 1700],
    [None, 75, 0, 12, 3, None, None],
    [0, 100, 1, 0, 5, 0.6, 1000],
    [None, 35, None, None, None, None, None],
]

TITLE = "Impairment screen: probability of present cognitive impairment"
LIMITS = [
    "Present impairment (CDR above 0), not its cause and not the future; most cases in training were very mild (CDR 0.5).",
    "Trained on volunteers of one research centre in the USA of whom about 43 % of visits were impaired: where impairment is "
    "rarer, as in general screening, the probability is too high.",
    "The recruitment shows in the age effect: after 85 the study holds mostly healthy volunteers, so a higher age does not raise the estimate there.",
    "Few people below 60, none below 33 with a known CDR: answers there are extrapolated and flagged.",
    "nwbv and etiv must come from a T1 scan processed as in OASIS; other software shifts them.",
    "Race, ethnicity and language of the people are not in the data; fairness across them could not be measured.",
]
INTENDED_USE = (
    "Decision support for clinicians: whether cognitive impairment (CDR above 0) is present now in an adult, from any of MMSE, age, sex, "
    "education, socioeconomic status and two brain volumes."
)
NOT_FOR = [
    "People below 33: none is in the training data, and few below 60.",
    "Predicting a later impairment, or naming its cause.",
    "Screening of a population in which impairment is rare, without recalibration.",
    "Brain volumes that were not measured as in OASIS.",
]
TERMS = (
    "Fitted on OASIS-1 and OASIS-2 under the OASIS data use terms: acknowledge OASIS when presenting results or algorithms "
    "that benefitted from the data, do not try to re-identify anyone. The model folder holds no person's record."
)
ACKNOWLEDGEMENT = (
    "Data were provided by OASIS-1: Cross-Sectional and OASIS-2: Longitudinal. PIs D. Marcus, R. Buckner, J. Csernansky, "
    "J. Morris; P50 AG05681, P01 AG03991, P01 AG026276, R01 AG021910, P20 MH071616, U24 RR021382. "
    "Marcus et al. 2007, doi:10.1162/jocn.2007.19.9.1498; Marcus et al. 2010, doi:10.1162/jocn.2009.21407."
)


def _inputs(rows: np.ndarray) -> list[dict]:
    low, high = np.nanquantile(rows, [0.01, 0.99], axis=0)

    def typical(column: int, digits: int = 0) -> dict:
        return {"typical": {"low": round(float(low[column]), digits), "high": round(float(high[column]), digits)}}

    return [
        model_input("mmse_score", "MMSE", "Mini-Mental State Examination, total score.", "points", 0, 30, integer=True, **typical(MMSE)),
        model_input("age", "Age", "Age at the visit.", "years", 18, 120, **typical(AGE),
                    unit_hints=[{"min": 216, "max": 1440, "unit": "months"}]),
        model_input("sex", "Sex", "Sex as recorded: 0 female, 1 male.", "0 or 1", 0, 1, integer=True, words={"female": 0, "male": 1}),
        model_input("education_years", "Education", "Years of education completed.", "years", 0, 30, **typical(EDUCATION)),
        model_input("ses", "Socioeconomic status", "Hollingshead index of social position: 1 highest to 5 lowest.",
                    "Hollingshead class", 1, 5, integer=True, **typical(SES)),
        model_input("nwbv", "Normalised whole-brain volume", "Brain volume as a fraction of the estimated intracranial volume.",
                    "fraction", 0.5, 0.95, **typical(NWBV, 3), unit_hints=[{"min": 50, "max": 95, "unit": "percent"}]),
        model_input("etiv", "Estimated total intracranial volume", "Estimated total intracranial volume.", "cm3", 900, 2300,
                    **typical(ETIV), unit_hints=[{"min": 900_000, "max": 2_300_000, "unit": "mm3"}, {"min": 0.9, "max": 2.3, "unit": "litres"}]),
    ]  # fmt: skip


def _card(sessions: Sessions, student: lgb.Booster, log_error: lgb.Booster, reference: np.ndarray, distance: float) -> tuple[bytes, dict[str, float], dict]:
    """The card, and the metrics and the evidence of the manifest."""
    answers = cross_validate(sessions)
    resamples = resampled_weights(sessions.person, 300, 9)
    everything = np.ones(len(sessions.label))

    def estimates(subset: str, chosen: np.ndarray) -> list[cards.Estimate]:
        repeats = [answer[chosen] for answer in answers[subset]]
        draws = [times[chosen] for times in resamples]
        return [measure(metric, sessions.label[chosen], repeats, everything[chosen], draws) for metric in METRICS.values()]

    by_subset = {name: estimates(name, everything > 0) for name in SUBSETS}
    age, male = sessions.rows[:, AGE], sessions.rows[:, SEX] == 1
    groups = {
        "female": ~male, "male": male,
        "age below 70": age < 70, "age 70 to 79": (age >= 70) & (age < 80), "age 80 and over": age >= 80,
    }  # fmt: skip
    equal = person_weights(sessions.person, 1)
    per_person = (
        [name, *(f"{np.mean([metric(sessions.label, answer, equal) for answer in answers[name]]):.3f}" for metric in METRICS.values())]
        for name in SUBSETS
    )
    header = ["AUC", "Brier", "calibration slope", "predicted minus observed"]
    importance = mean_absolute_shap(student, reference)
    calibration = calibration_points(sessions.label, answers["all inputs"], everything)
    people, women = len(np.unique(sessions.person)), len(np.unique(sessions.person[~male]))
    card = cards.render(
        "impairment-screen", title=TITLE, limits=cards.bullets(LIMITS), terms=TERMS, acknowledgement=ACKNOWLEDGEMENT,
        visits=len(age), people=people, women=women,
        share=sessions.label.mean(), youngest=age.min(), oldest=age.max(),
        education=", ".join(f"{code} = {years}" for code, years in EDUCATION_YEARS.items()),
        trees=STUDENT_TREES, distance=distance, splits=len(CV_SEEDS), level=LEVEL, method=interval_method(distance),
        half_width=np.median(WIDTH * np.exp(log_error.predict(reference))),
        quality=cards.table(["", *header], ([name, *map(cards.with_interval, row)] for name, row in by_subset.items())),
        per_person=cards.table(["", *header], per_person),
        groups=cards.table(["", "visits", "impaired", *header], (
            [name, int(group.sum()), f"{sessions.label[group].mean():.0%}", *map(cards.with_interval, estimates("all inputs", group))]
            for name, group in groups.items()
        )),
        importance=cards.importance_table(INPUTS, importance), calibration=cards.calibration_table(calibration),
    )  # fmt: skip
    metrics = {
        f"{name}{suffix}": round(by_subset[subset][index][0], 4)
        for subset, suffix in (("all inputs", ""), ("mmse_score and age", "_mmse_score_age"), ("without mmse_score", "_without_mmse_score"))
        for index, name in enumerate(["auc", "brier", "calibration_slope"])
    }
    return card, metrics, evidence(
        INTENDED_USE, NOT_FOR,
        f"OASIS-1 and OASIS-2: {len(age)} visits of {people} people ({women} women), ages {age.min():.0f} to {age.max():.0f}, "
        f"{sessions.label.mean():.0%} of the visits impaired; volunteers of one research centre in the USA.",
        f"Five-fold cross-validation by person on the same people, mean over {len(CV_SEEDS)} random splits; no other cohort.",
        [{"title": "Present cognitive impairment, all inputs", "output": "impairment", "points": calibration}],
        (SHAP_MEASURE, cards.importance_values(INPUTS, importance)),
    )  # fmt: skip


def _reference_people(sessions: Sessions) -> np.ndarray:
    complete = hot_deck(sessions.rows, SES, [EDUCATION], np.random.default_rng(0))
    usable = ~np.isnan(complete).any(axis=1)
    digits = {AGE: 1, EDUCATION: 1, NWBV: 4}
    return blended_people(complete[usable], sessions.rows, sessions.person[usable], digits, 100, np.random.default_rng(1))


def build(data: Path) -> dict[str, bytes]:
    sessions = read_sessions(data)
    people = synthetic_people(sessions, SYNTHETIC_ROWS, 0)
    student, distance = distil(fit_teacher(sessions, 0), people, 0)
    log_error = fit_log_error(refitted_answers(sessions, people), people, distance, ERROR_TREES)
    model = export(student, log_error)

    golden_rows = golden_matrix(GOLDEN_ROWS)
    expected = expected_outputs(student, log_error, golden_rows)
    sample = people[:5000].astype(np.float32)
    assert_reproduces(model, sample, expected_outputs(student, log_error, sample))
    assert_reproduces(model, golden_rows, expected)
    golden = [
        {"impairment": {key: round(float(expected[name][row]), 9) for key, name in (("value", "probability"), ("lower", "lower"), ("upper", "upper"))}}
        for row in range(len(GOLDEN_ROWS))
    ]
    reference = _reference_people(sessions)
    card, metrics, stated = _card(sessions, student, log_error, reference, distance)
    manifest = {
        "manifest_version": 1, "kind": "risk", "name": "impairment-screen", "version": "1", "title": TITLE,
        "summary": "Probability that cognitive impairment (CDR above 0) is present now, from any subset of MMSE, age, sex, education, "
        "socioeconomic status and two MRI volumes.",
        "disclaimer": DISCLAIMER,
        "inputs": _inputs(sessions.rows),
        "limits": LIMITS, "terms": TERMS, "acknowledgement": ACKNOWLEDGEMENT,
        "metrics": metrics, "evidence": stated,
        "graph": {"file": "model.onnx", "input": "features", "dtype": "float32", "max_batch": 4096},
        "missing": {"rule": "native"},
        "outputs": [{
            "name": "impairment", "title": "Probability of present cognitive impairment", "value": {"tensor": "probability"},
            "lower": {"tensor": "lower"}, "upper": {"tensor": "upper"}, "horizon_years": None,
        }],
        "primary_output": "impairment",
        "categories": [{"name": "low", "below": 0.3}, {"name": "moderate", "below": 0.6}, {"name": "high", "below": 0.8}, {"name": "very_high"}],
        "categories_origin": "Set for this service, not taken from a guideline.",
        "interval": {"level": LEVEL, "method": interval_method(distance)},
        "calibration": {"method": "Shrinkage in training; slope and mean checked by cross-validation by person, per set of known inputs."},
        "explanation": {"method": "auto", "space": "log_odds", "background": "background.json"},
    }  # fmt: skip
    return model_folder(manifest, {
        "model.onnx": model, "card.md": card, "golden.json": golden_json(INPUTS, GOLDEN_ROWS, golden),
        "background.json": stable_json({"rows": reference.tolist()}),
    })  # fmt: skip
