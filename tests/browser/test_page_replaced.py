"""A network that is replaced while its page is looked at: what was asked about it is dropped."""

import pytest

pytestmark = pytest.mark.light

# The worker draws late: meanwhile the page shows a network that it has released.
LATE = """
import asyncio
from app.lab import picture
_drawing = picture.Picture.drawing
async def _late(self, model, place):
    await asyncio.sleep(1)
    return _drawing(self, model, place)
picture.Picture.drawing = _late
"""
TURN = """
Object.defineProperty(document, "hidden", { value: arguments[0], configurable: true });
document.dispatchEvent(new Event("visibilitychange"));
"""
LAYERS = "[...document.querySelectorAll('#picture [role=group]')].map((g) => g.ariaLabel).join()"
SAID = "document.getElementById('status').textContent"
DRAWN = "document.querySelectorAll('#picture canvas').length > 0"


@pytest.mark.promise("The page: the picture", "A network that is replaced is no error")
def test_a_picture_that_comes_in_view_while_another_network_is_drawn(site, open_page):
    site.replace("py/app/worker.py", lambda text: LATE + text)
    page = open_page(site.url)
    page.wait_for_phase("ready")
    page.until(DRAWN)
    former = page.execute_script(f"return {LAYERS}")
    page.execute_script(TURN, True)
    page.execute_script("location.hash = 'preset=lenet'")
    page.until(f"{SAID}.includes('not trained yet')")
    page.execute_script(TURN, False)
    page.until(lambda: page.execute_script(f"return {LAYERS}") != former)
    assert page.phase == "ready"
