"""Write the files beside this one: networks of Keras, by tf2onnx.

pip install tensorflow-cpu==2.21.0 tf-keras==2.21.0 keras==3.15.1 tf2onnx==1.17.0
python write.py 3 && python write.py 2

tf2onnx makes an LSTM of Keras 3's LSTM alone, and of Keras 2's LSTM and GRU; of other recurrent
layers it makes a Loop, such as `loop.onnx`.
"""

import os
import sys
from pathlib import Path

OLD = sys.argv[1] == "2"
os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_USE_LEGACY_KERAS": str(int(OLD))}

import tensorflow  # noqa: E402
import tf2onnx  # noqa: E402

HERE = Path(__file__).resolve().parent
keras = tensorflow.keras
layers = keras.layers
keras.utils.set_random_seed(0)


def network(shape, *stack):
    return keras.Sequential([keras.Input(shape), *stack])


networks = {
    "lstm": network((5, 4), layers.LSTM(3), layers.Dense(2)),
    "embedding": network((5,), layers.Embedding(11, 4), layers.LSTM(3), layers.Dense(2)),
    "both": network((5, 4), layers.Bidirectional(layers.LSTM(3)), layers.Dense(2)),
}
if OLD:
    networks |= {
        "steps": network((5, 4), layers.LSTM(3, return_sequences=True), layers.Dense(2)),
        "gru": network((5, 4), layers.GRU(3, return_sequences=True), layers.Dense(2)),
    }
else:
    networks |= {
        "convolutions": network(
            (8, 8, 3),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.DepthwiseConv2D(3, padding="same"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, activation="softmax"),
        ),
        "loop": network((5, 4), layers.SimpleRNN(3)),
    }

for name, model in networks.items():
    shape = (None, *model.input_shape[1:])
    spec = [tensorflow.TensorSpec(shape, tensorflow.float32, name="x")]
    call = tensorflow.function(lambda x, model=model: model(x))
    path = HERE / (f"keras2_{name}.onnx" if OLD else f"{name}.onnx")
    tf2onnx.convert.from_function(call, spec, opset=15, output_path=str(path))
