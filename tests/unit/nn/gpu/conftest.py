"""A device for plans: PyPI's wgpu on the SwiftShader that a Chromium has beside it."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path("/usr/lib/chromium")
LOADER, DRIVER = CHROMIUM / "libvulkan.so.1", CHROMIUM / "vk_swiftshader_icd.json"


@pytest.fixture(scope="session")
def device() -> Any:
    """A WebGPU device on this machine."""
    pytest.importorskip("wgpu", reason="kernels for the GPU need PyPI's wgpu: make install")
    if not (LOADER.is_file() and DRIVER.is_file()):
        pytest.skip(f"kernels for the GPU need a Vulkan driver: there is none in {CHROMIUM}")
    return opened()


def opened() -> Any:
    """Open a device of that driver, or of the one that VK_ICD_FILENAMES names."""
    os.environ.setdefault("VK_ICD_FILENAMES", str(DRIVER))
    ctypes.CDLL(str(LOADER), ctypes.RTLD_GLOBAL)  # wgpu then finds it by its name
    from tests.unit.nn.gpu import native

    return native.open_device()


@pytest.fixture
def gpu(device: Any) -> Any:
    """That device as the one that `nn.gpu.open` opened."""
    from nn.gpu import devices

    from tests.unit.nn.gpu.native import Adapter

    devices.use(Adapter(device))
    yield
    devices.use(None, "no GPU was opened: await nn.gpu.open() first")
