"""
Tree ensembles of several libraries on made-up people, as ONNX, with explanations by the shap package:
test/fixtures/shap/<name>/{model.onnx, rows.f32, background.f32, *.f64, about.json}. Numbers are little-endian and
row-major; rows have NaN for missing. No real person's data is used.

The package explains the very trees of the ONNX file (float32 thresholds and leaves), not those of the library before
conversion; how far the library's own explainer is away is printed and kept in about.json.
"""

import json
import sys
import warnings
from pathlib import Path

import lightgbm
import numpy as np
import onnx
import onnxruntime
import shap
import sklearn
import xgboost
from onnx import helper
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as ToolsFloat
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingClassifier, RandomForestClassifier

import onnx_trees as trees

ROWS, BACKGROUND = 1000, 100


def people(seed, inputs, missing):
    """Rows of float32 numbers with interactions worth explaining, and a latent score."""
    r = np.random.default_rng(seed)
    x = r.normal(size=(ROWS, inputs)).astype(np.float32)
    x[:, 1] = np.round(x[:, 1] * 3)
    x[:, 2] = x[:, 2] > 0
    score = x[:, 0] + 0.4 * x[:, 1] * x[:, 2] - np.abs(x[:, 3]) + x[:, 4] * x[:, 5] + 0.3 * r.normal(size=ROWS)
    x[r.random(x.shape) < missing] = np.nan
    return x, score


def classes(score, count):
    return np.searchsorted(np.quantile(score, np.arange(1, count) / count), score)


def lightgbm_model(x, y, **options):
    model = lightgbm.LGBMClassifier(verbose=-1, n_jobs=1, random_state=1, **options).fit(x, y)
    file = convert_lightgbm(model, initial_types=[("X", ToolsFloat([None, x.shape[1]]))], target_opset=15, zipmap=False)
    return model, trees.keep_output(file, "probabilities")


def xgboost_model(x, y, **options):
    model = xgboost.XGBClassifier(n_jobs=1, random_state=1, **options).fit(x, y)
    file = convert_xgboost(model, initial_types=[("X", ToolsFloat([None, x.shape[1]]))], target_opset=15)
    return model, trees.keep_output(file, "probabilities")


def make_lightgbm():
    x, score = people(1, 8, 0.1)
    model, file = lightgbm_model(x, classes(score, 2), n_estimators=60, num_leaves=31, learning_rate=0.1)
    return x, model, file, "probabilities", 1, 0, lambda: model.predict_proba(x)[:, 1]


def make_xgboost():
    x, score = people(2, 8, 0.2)
    model, file = xgboost_model(x, classes(score, 2), n_estimators=60, max_depth=6, learning_rate=0.2)
    return x, model, file, "probabilities", 1, 0, lambda: model.predict_proba(x)[:, 1]


def make_random_forest():
    x, score = people(3, 8, 0)
    model = RandomForestClassifier(30, max_depth=8, bootstrap=False, max_features=3, random_state=1, n_jobs=1)
    model.fit(x, classes(score, 2))
    types = [("X", FloatTensorType([None, x.shape[1]]))]
    file = convert_sklearn(
        model, initial_types=types, target_opset={"": 15, "ai.onnx.ml": 3}, options={id(model): {"zipmap": False}}
    )
    return x, model, trees.keep_output(file, "probabilities"), "probabilities", 1, 0, lambda: model.predict_proba(x)[:, 1]


def make_histogram_boosting():
    x, score = people(4, 8, 0.15)
    model = HistGradientBoostingClassifier(max_iter=50, max_leaf_nodes=31, random_state=1).fit(x, classes(score, 2))
    own, base = trees.histogram_boosting_trees(model)
    sigmoid = helper.make_node("Sigmoid", ["score"], ["probability"])
    file = trees.write_regressor(own, base, x.shape[1], [sigmoid], "probability")
    return x, model, file, "probability", 0, 0, lambda: model.predict_proba(x)[:, 1]


def make_lightgbm_classes():
    x, score = people(5, 8, 0.1)
    model, file = lightgbm_model(x, classes(score, 4), n_estimators=20, num_leaves=15)
    return x, model, file, "probabilities", 2, 2, lambda: model.predict_proba(x)[:, 2]


def make_xgboost_classes():
    x, score = people(6, 10, 0.1)
    model, file = xgboost_model(x, classes(score, 3), n_estimators=30, max_depth=3)
    return x, model, file, "probabilities", 0, 0, lambda: model.predict_proba(x)[:, 0]


def make_extra_trees():
    x, score = people(7, 14, 0)
    model = ExtraTreesRegressor(6, min_samples_leaf=2, random_state=1, n_jobs=1).fit(x, score)
    file = convert_sklearn(
        model, initial_types=[("X", FloatTensorType([None, x.shape[1]]))], target_opset={"": 15, "ai.onnx.ml": 3}
    )
    return x, model, file, "variable", 0, 0, lambda: model.predict(x)


ENSEMBLES = {
    "lightgbm": make_lightgbm,
    "xgboost": make_xgboost,
    "random-forest": make_random_forest,
    "histogram-boosting": make_histogram_boosting,
    "lightgbm-classes": make_lightgbm_classes,
    "xgboost-classes": make_xgboost_classes,
    "extra-trees-deep": make_extra_trees,
}


def of_class(values, column):
    values = np.asarray(values)
    return values[..., column] if values.ndim == 3 else values


def native_difference(model, x, column, expected):
    """Distance to the library's own path-dependent explainer, whose covers are the training rows."""
    if isinstance(model, xgboost.XGBModel):
        return None  # its covers are sums of hessians, not rows
    if isinstance(model, HistGradientBoostingClassifier):
        explainer = shap.TreeExplainer(model, feature_perturbation="tree_path_dependent")
        return float(np.abs(of_class(explainer.shap_values(x.astype(np.float64)), column) - expected).max())
    explainer = shap.TreeExplainer(model, feature_perturbation="tree_path_dependent")
    return float(np.abs(of_class(explainer.shap_values(x), column) - expected).max())


def make(name, folder):
    x, model, file, tensor, column, target, predict = ENSEMBLES[name]()
    session = onnxruntime.InferenceSession(file.SerializeToString())
    answer = session.run([tensor], {"X": x})[0].reshape(ROWS, -1)[:, column]
    conversion = float(np.abs(answer - predict()).max())
    assert conversion < 2e-6, f"{name}: the ONNX file answers otherwise than the library ({conversion})"
    read, base = trees.read_trees(file, target)
    scale = 1.0
    # Averages are written as sums of scaled leaves or as AVERAGE.
    attributes = {a.name: helper.get_attribute_value(a) for n in file.graph.node for a in n.attribute}
    if attributes.get("aggregate_function") == b"AVERAGE":
        scale = 1 / len(read)
        for tree in read:
            tree.value = tree.value * scale
    rows = x.astype(np.float64)
    background = rows[:BACKGROUND]
    explain = lambda reference, **options: shap.TreeExplainer(trees.shap_model(read, base, reference), **options)
    path = explain(background, feature_perturbation="tree_path_dependent")
    whole = explain(rows, feature_perturbation="tree_path_dependent")
    against = explain(background, data=background, feature_perturbation="interventional")
    trees.settle(file, name)
    out = folder / name
    out.mkdir(parents=True, exist_ok=True)
    save = lambda file, values: (out / file).write_bytes(np.ascontiguousarray(values, dtype="<f8").tobytes())
    whole_values = whole.shap_values(rows)
    save("path-dependent.f64", path.shap_values(rows))
    save("path-dependent-all-rows.f64", whole_values)
    save("interventional.f64", against.shap_values(rows))
    (out / "rows.f32").write_bytes(x.astype("<f4").tobytes())
    (out / "model.onnx").write_bytes(file.SerializeToString())
    if name == "histogram-boosting":
        version_5 = trees.to_version_5(file)
        other = onnxruntime.InferenceSession(version_5.SerializeToString()).run([tensor], {"X": x})[0].reshape(-1)
        assert np.abs(other - answer).max() < 1e-6, "TreeEnsemble answers otherwise than TreeEnsembleRegressor"
        (out / "model-v5.onnx").write_bytes(version_5.SerializeToString())
    total = np.ravel(whole.expected_value)[0] + whole_values.sum(1)
    if column == 1 or name == "histogram-boosting":
        total = total if name == "random-forest" else 1 / (1 + np.exp(-total))
        assert np.abs(total - answer).max() < 2e-6, f"{name}: the trees read do not add up to the answer"
    native = native_difference(model, x, 1 if name == "random-forest" else target, whole_values)
    about = {
        "inputs": x.shape[1],
        "rows": ROWS,
        "background_rows": BACKGROUND,
        "output": {"tensor": tensor, "column": column},
        "target": target,
        "base_value": {
            "path_dependent": float(np.ravel(path.expected_value)[0]),
            "path_dependent_all_rows": float(np.ravel(whole.expected_value)[0]),
            "interventional": float(np.ravel(against.expected_value)[0]),
        },
        "trees": len(read),
        "leaves": int(sum((t.left < 0).sum() for t in read)),
        "conversion_error": conversion,
        "difference_to_library_explainer": native,
        "versions": {m.__name__: m.__version__ for m in (shap, lightgbm, xgboost, sklearn, onnx, np)},
    }
    (out / "about.json").write_text(json.dumps(about, indent=2) + "\n")
    print(f"{name}: {about['trees']} trees, {about['leaves']} leaves, conversion {conversion:.1e}, library explainer {native}")


def main():
    warnings.simplefilter("ignore")
    folder = Path(__file__).resolve().parents[3] / "test" / "fixtures" / "shap"
    for name in sys.argv[1:] or ENSEMBLES:
        make(name, folder)


if __name__ == "__main__":
    main()
