"""Settings that make these tests cheaper: options of JAX's compiler, less garbage collection.

Most programs that JAX compiles here run once: without LLVM's expensive passes and the emitters of
fused loops, the comparisons with Keras take half the processor time. The objects of imported
modules live until the end, so the garbage collector does not look at them.
"""

import gc
import os

QUICK = (
    "--xla_backend_optimization_level=0",
    "--xla_llvm_disable_expensive_passes=true",
    "--xla_cpu_use_fusion_emitters=false",
)
os.environ["XLA_FLAGS"] = " ".join([*QUICK, os.environ.get("XLA_FLAGS", "")]).strip()

gc.disable()  # until the tests are imported


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
    gc.enable()
