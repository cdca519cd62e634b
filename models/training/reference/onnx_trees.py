"""Tree ensembles of ONNX files as the trees of the shap package, and the other way round."""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

ML = "ai.onnx.ml"


@dataclass
class Tree:
    """Arrays by node, root first; leaves have feature -1. A row goes left if its value is <= the threshold."""

    left: np.ndarray
    right: np.ndarray
    default: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    value: np.ndarray


def floor_to_float32(thresholds):
    """The largest float32 not above each threshold: it splits float32 values exactly as the threshold does."""
    rounded = thresholds.astype(np.float32)
    above = rounded.astype(np.float64) > thresholds
    rounded[above] = np.nextafter(rounded[above], np.float32(-np.inf))
    return rounded


def read_trees(model, target):
    """Trees of one target of the only ensemble (ai.onnx.ml 1 to 3) of a model, and its base value."""
    nodes = [n for n in model.graph.node if n.op_type in ("TreeEnsembleClassifier", "TreeEnsembleRegressor")]
    (node,) = nodes
    a = {x.name: helper.get_attribute_value(x) for x in node.attribute}
    kind = "class" if node.op_type == "TreeEnsembleClassifier" else "target"
    modes = np.array([m.decode() for m in a["nodes_modes"]])
    missing = np.array(a.get("nodes_missing_value_tracks_true", [0] * len(modes)))
    tree_ids, node_ids = np.array(a["nodes_treeids"]), np.array(a["nodes_nodeids"])
    yes, no = np.array(a["nodes_truenodeids"]), np.array(a["nodes_falsenodeids"])
    values = np.array(a["nodes_values"], dtype=np.float32).astype(np.float64)
    features = np.array(a["nodes_featureids"])
    weights = {}
    leaf_lists = zip(a[f"{kind}_treeids"], a[f"{kind}_nodeids"], a[f"{kind}_ids"], a[f"{kind}_weights"])
    for tree, leaf, of, weight in leaf_lists:
        if of == target:
            weights[tree, leaf] = weights.get((tree, leaf), 0.0) + float(np.float32(weight))
    trees = []
    for tree in np.unique(tree_ids):
        at = np.flatnonzero(tree_ids == tree)
        place = {node_id: i for i, node_id in enumerate(node_ids[at])}
        is_leaf = modes[at] == "LEAF"
        if not set(modes[at][~is_leaf]) <= {"BRANCH_LEQ", "BRANCH_LT"}:
            raise ValueError("only <= and < are read here")
        child = lambda ids: np.array([-1 if leaf else place[i] for leaf, i in zip(is_leaf, ids[at])])
        left, right = child(yes), child(no)
        # Rows are float32, so x < t is x <= the float32 number below t.
        lower = np.nextafter(values[at].astype(np.float32), np.float32(-np.inf)).astype(np.float64)
        threshold = np.where(modes[at] == "BRANCH_LT", lower, values[at])
        trees.append(
            Tree(
                left=left,
                right=right,
                default=np.where(missing[at] == 1, left, right),
                feature=np.where(is_leaf, -1, features[at]),
                threshold=threshold,
                value=np.array([weights.get((tree, i), 0.0) for i in node_ids[at]]),
            )
        )
    base = a.get("base_values", [])
    return trees, float(np.float32(base[target])) if len(base) > target else 0.0


def covers(tree, rows):
    """Rows that come to each node; a split that none reaches is shared evenly by its branches."""
    counts = np.zeros(len(tree.left))

    def visit(node, at):
        counts[node] = len(at)
        if tree.left[node] < 0:
            return
        x = rows[at, tree.feature[node]]
        goes_left = np.where(np.isnan(x), tree.default[node] == tree.left[node], x <= tree.threshold[node])
        visit(tree.left[node], at[goes_left])
        visit(tree.right[node], at[~goes_left])

    visit(0, np.arange(len(rows)))
    weights = counts.copy()
    # The package divides covers of children by those of parents: a nothing that can be halved stands for zero.
    nothing = 2.0**-60
    for node in range(len(weights)):
        for child in (tree.left[node], tree.right[node]):
            if child >= 0 and counts[node] == 0:
                weights[child] = weights[node] / 2
            elif child >= 0 and counts[child] == 0:
                weights[child] = nothing
    return weights


def shap_model(trees, base, rows):
    """What `shap.TreeExplainer` takes for a model, with covers from `rows`."""
    as_dict = lambda t: {
        "children_left": t.left,
        "children_right": t.right,
        "children_default": t.default,
        "features": t.feature,
        "thresholds": t.threshold,
        "values": t.value.reshape(-1, 1),
        "node_sample_weight": covers(t, rows),
    }
    return {
        "trees": [as_dict(t) for t in trees],
        "base_offset": base,
        "input_dtype": np.float64,
        "internal_dtype": np.float64,
    }


def write_regressor(trees, base, inputs, post_nodes=(), output="score"):
    """An ONNX file with `trees` as TreeEnsembleRegressor, followed by `post_nodes`, whose last output is the graph's."""
    a = {k: [] for k in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids")}
    missing, leaf_trees, leaf_nodes, leaf_weights = [], [], [], []
    for t, tree in enumerate(trees):
        for i in range(len(tree.left)):
            is_leaf = tree.left[i] < 0
            a["treeids"].append(t)
            a["nodeids"].append(i)
            a["featureids"].append(0 if is_leaf else int(tree.feature[i]))
            a["values"].append(0.0 if is_leaf else float(tree.threshold[i]))
            a["modes"].append("LEAF" if is_leaf else "BRANCH_LEQ")
            a["truenodeids"].append(0 if is_leaf else int(tree.left[i]))
            a["falsenodeids"].append(0 if is_leaf else int(tree.right[i]))
            missing.append(int(not is_leaf and tree.default[i] == tree.left[i]))
            if is_leaf:
                leaf_trees.append(t)
                leaf_nodes.append(i)
                leaf_weights.append(float(tree.value[i]))
    ensemble = helper.make_node(
        "TreeEnsembleRegressor",
        ["X"],
        ["score"],
        domain=ML,
        **{f"nodes_{k}": v for k, v in a.items()},
        nodes_missing_value_tracks_true=missing,
        target_treeids=leaf_trees,
        target_nodeids=leaf_nodes,
        target_ids=[0] * len(leaf_trees),
        target_weights=leaf_weights,
        n_targets=1,
        base_values=[base],
    )
    graph = helper.make_graph(
        [ensemble, *post_nodes],
        "trees",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, inputs])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [None, 1])],
    )
    opsets = [helper.make_opsetid("", 15), helper.make_opsetid(ML, 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="memoryguard-reference")
    onnx.checker.check_model(model)
    return model


def histogram_boosting_trees(model):
    """Trees of a fitted binary HistGradientBoostingClassifier with thresholds made fit for float32 inputs."""
    trees = []
    for (predictor,) in model._predictors:
        nodes = predictor.nodes
        is_leaf = nodes["is_leaf"].astype(bool)
        left = np.where(is_leaf, -1, nodes["left"].astype(np.int64))
        right = np.where(is_leaf, -1, nodes["right"].astype(np.int64))
        trees.append(
            Tree(
                left=left,
                right=right,
                default=np.where(nodes["missing_go_to_left"].astype(bool), left, right),
                feature=np.where(is_leaf, -1, nodes["feature_idx"].astype(np.int64)),
                threshold=floor_to_float32(np.where(is_leaf, 0.0, nodes["num_threshold"])),
                value=np.where(is_leaf, nodes["value"], 0.0),
            )
        )
    return trees, float(model._baseline_prediction.ravel()[0])


def to_version_5(model):
    """The same regressor as `TreeEnsemble` of ai.onnx.ml 5."""
    ensemble = model.graph.node[0]
    a = {x.name: helper.get_attribute_value(x) for x in ensemble.attribute}
    modes = np.array([m.decode() for m in a["nodes_modes"]])
    keys = list(zip(a["nodes_treeids"], a["nodes_nodeids"]))
    inner = {key: i for i, key in enumerate(k for k, m in zip(keys, modes) if m != "LEAF")}
    leaf = {key: i for i, key in enumerate(zip(a["target_treeids"], a["target_nodeids"]))}
    lists = {k: [] for k in ("feature", "split", "yes", "no", "yes_leaf", "no_leaf", "missing")}
    for at, (key, mode) in enumerate(zip(keys, modes)):
        if mode == "LEAF":
            continue
        lists["feature"].append(a["nodes_featureids"][at])
        lists["split"].append(a["nodes_values"][at])
        lists["missing"].append(a["nodes_missing_value_tracks_true"][at])
        for way, child in (("yes", a["nodes_truenodeids"][at]), ("no", a["nodes_falsenodeids"][at])):
            child_key = (key[0], child)
            lists[way].append(leaf.get(child_key, inner.get(child_key)))
            lists[f"{way}_leaf"].append(int(child_key in leaf))
    tensor = lambda name, type, values: helper.make_tensor(name, type, [len(values)], values)
    count = len(lists["feature"])
    node = helper.make_node(
        "TreeEnsemble",
        ["X"],
        ["sum"],
        domain=ML,
        aggregate_function=1,
        post_transform=0,
        n_targets=1,
        tree_roots=[inner[t, 0] for t in sorted(set(a["nodes_treeids"]))],
        nodes_featureids=lists["feature"],
        nodes_splits=tensor("nodes_splits", TensorProto.FLOAT, lists["split"]),
        nodes_modes=tensor("nodes_modes", TensorProto.UINT8, [0] * count),
        nodes_truenodeids=lists["yes"],
        nodes_falsenodeids=lists["no"],
        nodes_trueleafs=lists["yes_leaf"],
        nodes_falseleafs=lists["no_leaf"],
        nodes_missing_value_tracks_true=lists["missing"],
        leaf_targetids=[0] * len(leaf),
        leaf_weights=tensor("leaf_weights", TensorProto.FLOAT, a["target_weights"]),
    )
    base = helper.make_tensor("base", TensorProto.FLOAT, [1], a["base_values"])
    nodes = [node, helper.make_node("Add", ["sum", "base"], ["score"]), *model.graph.node[1:]]
    graph = helper.make_graph(nodes, "trees", list(model.graph.input), list(model.graph.output), [base])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(ML, 5)]
    version_5 = helper.make_model(graph, opset_imports=opsets, ir_version=9, producer_name="memoryguard-reference")
    onnx.checker.check_model(version_5)
    return version_5


def keep_output(model, name):
    """Leaves one output in the graph, so that class labels are not computed for nothing."""
    kept = [o for o in model.graph.output if o.name == name]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    for output in kept:
        output.type.tensor_type.shape.Clear()
    needed, nodes = {name}, []
    for node in reversed(model.graph.node):
        if needed & set(node.output):
            nodes.insert(0, node)
            needed |= set(node.input)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def settle(model, name):
    """Replaces random names, so that the same training writes the same bytes."""
    model.graph.name = name
    for i, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{i}"
    return model
