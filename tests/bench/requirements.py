"""What the figures must show: one table, each row a ratio (or a figure) and its bound."""

from __future__ import annotations

from dataclasses import dataclass

Figures = dict[str, float]


@dataclass(frozen=True)
class Requirement:
    """`figure` (over `over`, where there is one) must be at least, or at most, `bound`."""

    figure: str
    sign: str
    bound: float
    over: str | None = None

    @property
    def text(self) -> str:
        """What is compared, as written in the report."""
        return f"{self.figure} / {self.over}" if self.over else self.figure

    def measured(self, figures: Figures) -> float | None:
        """Give the value to judge, or None where a figure was not measured."""
        if self.figure not in figures or (self.over and self.over not in figures):
            return None
        return figures[self.figure] / (figures[self.over] if self.over else 1)

    def holds(self, figures: Figures) -> bool:
        """Say whether the bound is kept; a figure that is missing keeps none."""
        value = self.measured(figures)
        if value is None:
            return False
        return value >= self.bound if self.sign == ">=" else value <= self.bound


def _at_least(bound: float, figure: str, over: str | None = None) -> Requirement:
    return Requirement(figure, ">=", bound, over)


def _at_most(bound: float, figure: str, over: str | None = None) -> Requirement:
    return Requirement(figure, "<=", bound, over)


CHANNELS = (8, 16, 32, 64)
DIRECTIONS = ("forward", "dw", "dx")
LOADED = ("npz", "safetensors", "tfjs", "keras", "onnx")
OTHER_NETWORKS = ("lenet", "cnn_bn", "mlp", "lstm")

TRAINING = [
    _at_least(1.5, "train128.nn", "train128.numpy_native"),
    _at_least(3.0, "train128.nn", "train128.ort_web_1t"),
    _at_least(1.5, "train128.nn", "train128.torch_1t"),
    _at_least(2.5, "train512.nn", "train512.ort_web_1t"),
    _at_least(1.3, "train512.nn", "train512.torch_1t"),
    _at_least(0.85, "epoch.nn", "epoch.steady"),
    # Images a second, from the first batch to the last.
    _at_least(1000, "epoch.nn"),
    # Without kernels: no slower than the naive step, run in the same worker.
    _at_least(1.0, "train128.nn_numpy", "train128.numpy_pyodide"),
]
PREDICTING = [
    _at_least(1.5, "predict1000.nn", "predict1000.ort_web_1t"),
    _at_least(1.5, "predict1000.nn", "predict1000.tfjs_wasm_1t"),
    _at_most(0.3, "predict1_ms.nn"),
]
KERNELS = [
    _at_least(0.8, "gemm512.nn", "gemm512.fma_peak"),
    *(
        _at_least(0.5, f"conv3x3.{c}.{direction}", "gemm512.fma_peak")
        for c in CHANNELS
        for direction in DIRECTIONS
    ),
]
NETWORKS = [
    _at_least(1.0, f"{network}.nn", f"{network}.{peer}")
    for network in OTHER_NETWORKS
    for peer in ("ort_web_1t", "torch_1t")
    # PyTorch's vectors are wider than WebAssembly's: on products of matrices it is a figure.
    if (network, peer) != ("lstm", "torch_1t")
]
SEQUENCES = ("gru", "bidirectional", "transformer")
CEILINGS = [
    *(_at_least(0.62, f"{name}.nn", f"{name}.ceiling") for name in ("lstm", *SEQUENCES[:2])),
    _at_least(0.6, "transformer.nn", "transformer.ceiling"),
]
LOADING = [_at_least(100, f"load.mb_per_s.{format}") for format in LOADED]
LARGE = ("mobilenet_v2", "efficientnet_lite0", "resnet50_v2")
ENGINES = [
    need
    for name in ("firefox", "webkit")
    for need in (
        _at_least(0.8, f"train128.nn.{name}", "train128.nn.chromium"),
        *(
            _at_least(0.8, f"{network}.predict1_ms.nn.chromium", f"{network}.predict1_ms.nn.{name}")
            for network in LARGE
        ),
    )
]
WEB_NOW = ("ort_web_now_1t", "tfjs_wasm_1t")
PHOTOGRAPHS = [
    *(
        _at_least(bound, f"{network}.predict1_ms.{peer}", f"{network}.predict1_ms.nn")
        for network, bound in zip(LARGE, (1.35, 1.40, 1.35), strict=True)
        for peer in WEB_NOW
    ),
    *(
        _at_least(1.3, f"{network}.predict16_ms.{peer}", f"{network}.predict16_ms.nn")
        for network in LARGE[:2]
        for peer in WEB_NOW
    ),
    _at_least(0.6, "mobilenet_v2.finetune.nn", "mobilenet_v2.predict16.nn"),
    # A head of three classes on the features of thirty images, which are computed once.
    _at_most(2, "efficientnet_lite0.head30_s.nn"),
    # From loading to the 1,000th answer, and from the tenth.
    _at_most(200, "efficientnet_lite0.memory_mb.nn"),
    _at_most(0.1, "efficientnet_lite0.memory_since_tenth_mb.nn"),
]
REMOTE = [
    *(
        _at_most(2.0, f"rpc.p50_ms.farcall_{pair}", f"rpc.p50_ms.raw_{pair}")
        for pair in ("mpy_py", "py_py")
    ),
    *(
        _at_most(1.5, f"rpc.p50_ms.farcall_{pair}", f"rpc.p50_ms.pyscript_workers{other}")
        for pair, other in (("mpy_py", ""), ("py_py", "_py_py"))
    ),
    *(
        _at_most(1.0, f"rpc.{value}_ms.farcall_{pair}", f"rpc.{value}_ms.pyscript_workers{other}")
        for value in ("text_100kb", "text_1mb", "text_10mb", "rows_20000")
        for pair, other in (("mpy_py", ""), ("py_py", "_py_py"))
    ),
    # Milliseconds for which the page cannot answer.
    *(_at_most(50, f"rpc.{value}_block_ms.farcall_mpy_py") for value in ("text_1mb", "bytes_1mb")),
    _at_most(
        1.0, "rpc.rows_20000_block_ms.farcall_mpy_py", "rpc.rows_20000_block_ms.pyscript_workers"
    ),
    _at_least(3.0, "rpc.calls_per_s.64", "rpc.calls_per_s.1"),
    _at_most(1.3, "rpc.array_10mb_ms.farcall", "rpc.array_10mb_ms.limit"),
    _at_least(10.0, "rpc.stream_items_per_s", "rpc.calls_per_s.1"),
]
GPU = [
    _at_least(20.0, "gpu.host_ms_per_step.tfjs", "gpu.host_ms_per_step.nn"),
    _at_least(10.0, "gpu.host_ms_per_step.jaxjs", "gpu.host_ms_per_step.nn"),
    *(
        _at_least(1.0, "gpu.software.seed32.nn", f"gpu.software.seed32.{peer}")
        for peer in ("tfjs", "jaxjs")
    ),
]
TEAMS = [
    *(
        requirement
        for task in ("train128", "train512")
        for requirement in (
            _at_least(1.65, f"{task}.nn_2w", f"{task}.nn_1w"),
            _at_least(0.95, f"{task}.nn_2w", f"{task}.ceiling_2w"),
            _at_least(1.80, f"{task}.nn_2w_shared", f"{task}.nn_1w"),
        )
    ),
    *(
        _at_least(0.92, f"{network}.nn_2w", f"{network}.ceiling_2w")
        for network in ("lenet", "cnn_bn", "lstm")
    ),
    _at_least(2.5, "train512.nn_2w", "train512.torch_2t"),
    _at_least(6.0, "train512.nn_2w", "train512.ort_web_2t"),
    _at_least(1.7, "predict10000.nn_2w", "predict10000.nn"),
    _at_least(0.95, "trials8.nn_2w", "trials8.ceiling_2w"),
]
START = [
    *(_at_most(0.3, f"start.{when}_s.paint") for when in ("cold", "warm")),
    *(_at_most(0.6, f"start.{when}_s.controls") for when in ("cold", "warm")),
    *(
        _at_most(1.3, f"start.{when}_s.first_step", f"start.{when}_s.bare_worker")
        for when in ("cold", "warm")
    ),
]
LIGHTHOUSE_SCREENS = ("desktop", "phone")
PAGE = [
    _at_most(4.0, "page.picture_ms"),
    # Ten pictures in each of three classes, read by EfficientNet-Lite0 and learned.
    _at_most(2.0, "own.features_s"),
    _at_least(10, "own.live_per_s"),
    *(
        _at_least(100, f"lighthouse.{screen}.{category}")
        for screen in LIGHTHOUSE_SCREENS
        for category in ("accessibility", "best-practices", "seo")
    ),
]
FEDERATION = [
    _at_most(1.1, "federation.bytes_per_round.nn", "federation.bytes_per_round.supernodes"),
    _at_most(1.5, "federation.round_overhead_s.nn", "federation.round_overhead_s.supernodes"),
]
REQUIREMENTS = [
    *TRAINING, *PREDICTING, *KERNELS, *LOADING, *NETWORKS, *CEILINGS, *PHOTOGRAPHS, *ENGINES,
    *TEAMS, *REMOTE, *GPU, *START, *PAGE, *FEDERATION,
]  # fmt: skip
