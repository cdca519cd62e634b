"""ONNX graphs of tree ensembles, and their exact correspondence with the LightGBM models they come from."""

from __future__ import annotations

from typing import Any

import lightgbm as lgb
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

OPSET = 18
ML_OPSET = 3
LEAF_QUANTUM = 2.0**-18


def quantise_leaves(booster: lgb.Booster) -> None:
    """Rounds leaf values to multiples of 2^-18, so that float32 sums below 2^5 are exact in any order."""
    for tree in booster.dump_model()["tree_info"]:
        for leaf in range(tree["num_leaves"]):
            value = booster.get_leaf_output(tree["tree_index"], leaf)
            booster.set_leaf_output(tree["tree_index"], leaf, round(value / LEAF_QUANTUM) * LEAF_QUANTUM)


def _float32_floor(threshold: float) -> float:
    """Largest float32 not above the threshold: `x <= t` then decides every float32 `x` as the float64 threshold does."""
    with np.errstate(over="ignore"):  # LightGBM splits missing from known values at 1e300.
        rounded = np.float32(threshold)
    return float(np.nextafter(rounded, np.float32(-np.inf)) if float(rounded) > threshold else rounded)


def trees_of(booster: lgb.Booster) -> list[dict[str, Any]]:
    """The nested nodes of every tree, as LightGBM dumps them."""
    return [tree["tree_structure"] for tree in booster.dump_model()["tree_info"]]


def split(feature: int, threshold: float, below: dict[str, Any], above: dict[str, Any], missing_below: bool) -> dict[str, Any]:
    """A hand-made node in LightGBM's form: `below` when value <= threshold."""
    return {"split_feature": feature, "threshold": threshold, "default_left": missing_below, "missing_type": "NaN",
            "decision_type": "<=", "left_child": below, "right_child": above}  # fmt: skip


def count_rows(node: dict[str, Any], rows: np.ndarray) -> None:
    """Notes in every node how many of the rows reach it: the covers of path-dependent explanations."""
    if "leaf_value" in node:
        node["leaf_count"] = len(rows)
        return
    node["internal_count"] = len(rows)
    values = rows[:, node["split_feature"]]
    below = np.where(np.isnan(values), node["default_left"], values <= node["threshold"])
    count_rows(node["left_child"], rows[below])
    count_rows(node["right_child"], rows[~below])


def tree_ensemble(trees: list[dict[str, Any]], source: str, target: str) -> onnx.NodeProto:
    """`TreeEnsembleRegressor` that sums the trees; node covers are kept as hit rates."""
    nodes: dict[str, list[Any]] = {
        key: [] for key in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids",
                            "missing_value_tracks_true", "hitrates")
    }  # fmt: skip
    leaves: dict[str, list[Any]] = {key: [] for key in ("treeids", "nodeids", "ids", "weights")}

    def visit(tree_id: int, first: int, node: dict[str, Any]) -> int:
        index = len(nodes["treeids"])
        node_id = index - first
        leaf = "leaf_value" in node
        nodes["treeids"].append(tree_id)
        nodes["nodeids"].append(node_id)
        nodes["featureids"].append(0 if leaf else node["split_feature"])
        nodes["values"].append(0.0 if leaf else _float32_floor(node["threshold"]))
        nodes["modes"].append("LEAF" if leaf else "BRANCH_LEQ")
        nodes["missing_value_tracks_true"].append(0 if leaf else int(node["default_left"]))
        nodes["hitrates"].append(float(node["leaf_count" if leaf else "internal_count"]))
        nodes["truenodeids"].append(0)
        nodes["falsenodeids"].append(0)
        if leaf:
            leaves["treeids"].append(tree_id)
            leaves["nodeids"].append(node_id)
            leaves["ids"].append(0)
            leaves["weights"].append(node["leaf_value"])
            return node_id
        if node["missing_type"] != "NaN" or node["decision_type"] != "<=":
            raise ValueError("every split must be numeric and must have seen missing values in training")
        nodes["truenodeids"][index] = visit(tree_id, first, node["left_child"])
        nodes["falsenodeids"][index] = visit(tree_id, first, node["right_child"])
        return node_id

    for tree_id, tree in enumerate(trees):
        visit(tree_id, len(nodes["treeids"]), tree)
    return helper.make_node(
        "TreeEnsembleRegressor", [source], [target], name=f"{target}_trees", domain="ai.onnx.ml", n_targets=1,
        aggregate_function="SUM", post_transform="NONE",
        **{f"nodes_{key}": values for key, values in nodes.items()},
        **{f"target_{key}": values for key, values in leaves.items()},
    )  # fmt: skip


def constant(name: str, value: float | list[float]) -> onnx.TensorProto:
    """A float32 initializer: a scalar, or a row vector."""
    return onnx.numpy_helper.from_array(np.asarray(value, dtype=np.float32), name)


def build_model(
    name: str, inputs: int, nodes: list[onnx.NodeProto], constants: list[onnx.TensorProto], outputs: list[str]
) -> bytes:
    """A checked model with one float32 input `features` [rows, inputs] and float32 outputs [rows, 1]."""
    graph = helper.make_graph(
        nodes, name,
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["rows", inputs])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["rows", 1]) for output in outputs],
        constants,
    )  # fmt: skip
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)],
        producer_name="memoryguard",
        ir_version=8,
    )
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def run_model(model: bytes, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Every output of the graph for float32 rows, as float64 vectors."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    values = session.run(names, {"features": np.asarray(rows, dtype=np.float32)})
    return {name: np.asarray(value, dtype=np.float64).ravel() for name, value in zip(names, values)}


def assert_reproduces(model: bytes, rows: np.ndarray, expected: dict[str, np.ndarray], tolerance: float = 1e-6) -> None:
    """Fails the build unless the exported graph gives what the training side computed."""
    found = run_model(model, rows)
    for name, values in expected.items():
        gap = float(np.max(np.abs(found[name] - values)))
        if not gap <= tolerance:
            raise ValueError(f"output {name} of the exported graph is off by {gap:.3g}")
