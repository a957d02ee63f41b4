"""Images sampled by maps: what the kernel is given is of the size that it reads."""

import numpy as np
import pytest
from nn.data.sampling import FILL_MODES, Sampling

pytestmark = pytest.mark.usefixtures("native")


@pytest.mark.parametrize("shape", [(2, 6), (4, 6), (3, 5), (3, 7), (18,)])
@pytest.mark.parametrize("fill_mode", FILL_MODES)
def test_maps_that_are_not_those_of_the_images_are_refused(shape, fill_mode):
    images = np.zeros((3, 4, 4, 1), np.float32)
    with pytest.raises(ValueError, match=r"expected maps of shape \(3, 6\), received"):
        Sampling(np.zeros(shape), "bilinear", fill_mode).forward(images, 0)


@pytest.mark.parametrize("place", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("fill_mode", FILL_MODES)
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_places_that_no_image_has_are_outside(place, fill_mode, interpolation):
    images = np.ones((1, 4, 5, 2), np.float32)
    maps = np.full((1, 6), place)
    found = Sampling(maps, interpolation, fill_mode).forward(images, 1)
    np.testing.assert_array_equal(found, images)
