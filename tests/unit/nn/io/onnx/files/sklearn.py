"""Write the files beside this one: models of scikit-learn, by skl2onnx.

pip install scikit-learn skl2onnx==1.20.0 && python sklearn.py
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path = [entry for entry in sys.path if Path(entry or ".").resolve() != HERE]  # not this file

import numpy as np  # noqa: E402
from skl2onnx import to_onnx  # noqa: E402
from sklearn.linear_model import LinearRegression, LogisticRegression  # noqa: E402
from sklearn.neural_network import MLPClassifier, MLPRegressor  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import MinMaxScaler, StandardScaler  # noqa: E402

rng = np.random.default_rng(0)
x = rng.random((40, 4)).astype(np.float32)
total = x @ [1, 2, 3, 4]
classes = rng.integers(0, 3, 40)
sides = (x[:, 0] > 0.5).astype(int)
small = {"hidden_layer_sizes": (5,), "max_iter": 30}

models = {
    "linear": make_pipeline(MinMaxScaler(), LinearRegression()).fit(x, total),
    "logistic_binary": LogisticRegression().fit(x, np.array(["cat", "dog"])[sides]),
    "mlp_binary": MLPClassifier(**small).fit(x, sides),
    "mlp_classifier": MLPClassifier(**small).fit(x, classes),
    "mlp_pipeline": make_pipeline(StandardScaler(), MLPClassifier(**small, activation="tanh")).fit(
        x, classes
    ),
    "mlp_regressor": MLPRegressor(**small).fit(x, total),
    "pipeline": make_pipeline(StandardScaler(), LogisticRegression()).fit(x, classes),
}

for name, model in models.items():
    (HERE / f"{name}.onnx").write_bytes(to_onnx(model, x[:1]).SerializeToString())
