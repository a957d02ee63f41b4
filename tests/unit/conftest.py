"""Options of JAX and its compiler that make these tests cheaper.

Most programs that JAX compiles here run once: without LLVM's expensive passes and the emitters of
fused loops, the comparisons with Keras take half the processor time; compiled in one part instead
of up to 32, a recurrent layer takes a quarter less again. Nothing reads from which lines of Python
the operations of a program come. What one process has compiled the others read from build/jax:
against_keras/ and io/ take 285 s of processor time without it, 264 with an empty folder, 199 with
that of a run before.
"""

import os
from pathlib import Path

QUICK = (
    "--xla_backend_optimization_level=0",
    "--xla_llvm_disable_expensive_passes=true",
    "--xla_cpu_use_fusion_emitters=false",
    "--xla_cpu_parallel_codegen_split_count=1",
)
os.environ["XLA_FLAGS"] = " ".join([*QUICK, os.environ.get("XLA_FLAGS", "")]).strip()
os.environ["JAX_TRACEBACK_IN_LOCATIONS_LIMIT"] = "0"
KEPT = Path(__file__).resolve().parents[2] / "build" / "jax"
os.environ["JAX_COMPILATION_CACHE_DIR"] = str(KEPT)
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
