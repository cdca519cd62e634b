"""Models whose graphs are legal but unusual, with what their libraries answer: `test/fixtures/unusual`.

    python models/training/reference/make_unusual_models.py test/fixtures/unusual
"""

import json
import sys
from pathlib import Path

import lightgbm
import numpy as np
import onnx
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

SEED = 7
ROWS = 60


def people(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Made-up people: score, age, two categories of 8 and 12 values, sex."""
    random = np.random.default_rng(SEED)
    columns = [random.integers(0, high, count) for high in (31, 95, 8, 12, 2)]
    x = np.column_stack(columns).astype(float)
    y = (x[:, 0] < 22) ^ np.isin(x[:, 3], [1, 3, 4, 8, 9]) ^ np.isin(x[:, 2], [0, 5])
    return x, y.astype(int)


def write(folder: Path, name: str, graph: onnx.ModelProto, rows: np.ndarray, probabilities: np.ndarray) -> None:
    path = folder / name
    path.mkdir(parents=True, exist_ok=True)
    (path / "model.onnx").write_bytes(graph.SerializeToString())
    cases = {"rows": rows.tolist(), "probabilities": probabilities[:, 1].tolist()}
    (path / "cases.json").write_text(json.dumps(cases) + "\n")


def lightgbm_categories(folder: Path) -> None:
    """Tests of categories are chains of equality tests that lead to a shared child."""
    x, y = people(600)
    model = lightgbm.LGBMClassifier(
        n_estimators=6,
        num_leaves=6,
        min_child_samples=10,
        cat_smooth=1,
        min_data_per_group=5,
        max_cat_to_onehot=2,
        random_state=SEED,
        verbose=-1,
    )
    model.fit(x, y, categorical_feature=[2, 3])
    graph = convert_lightgbm(model, initial_types=[("X", FloatTensorType([None, 5]))], zipmap=False)
    write(folder, "lightgbm-categories", graph, x[:ROWS], model.predict_proba(x[:ROWS]))


def fixed_batch(folder: Path) -> None:
    """The graph declares that it takes exactly one row."""
    x, y = people(600)
    model = LogisticRegression(max_iter=1000).fit(x, y)
    graph = to_onnx(model, x[:1].astype("float32"), options={id(model): {"zipmap": False}})
    for tensor in [*graph.graph.input, *graph.graph.output]:
        rows = tensor.type.tensor_type.shape.dim[0]
        rows.Clear()
        rows.dim_value = 1
    write(folder, "fixed-batch", graph, x[:ROWS], model.predict_proba(x[:ROWS]))


def sure_forest(folder: Path) -> None:
    """Twenty trees that agree: the float32 sum of twenty twentieths is 1.0000001."""
    x, _ = people(600)
    y = (x[:, 0] < 22).astype(int)
    model = RandomForestClassifier(20, max_depth=2, max_features=None, random_state=SEED).fit(x, y)
    graph = to_onnx(model, x[:1].astype("float32"), options={id(model): {"zipmap": False}})
    write(folder, "sure-forest", graph, x[:ROWS], model.predict_proba(x[:ROWS]))


if __name__ == "__main__":
    target = Path(sys.argv[1])
    lightgbm_categories(target)
    fixed_batch(target)
    sure_forest(target)
