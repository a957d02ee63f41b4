"""What the page opens when it starts. Pure Python.

A link is a curve: it opens a fresh network with its options, whatever this browser keeps. Without
one, the network that was kept last opens. What is kept and not opened is offered.
"""


def opened(link, left, saved):
    """Return what opens by itself: "fresh", "left" or "saved".

    Args:
        link: whether the page was opened by a link that has options.
        left: the newest run that was cut short or not saved, None where there is none.
        saved: the newest saved model, likewise. Both are dicts with the time under `saved`.
    """
    if link or not (left or saved):
        return "fresh"
    if not saved or (left and left["saved"] > saved["saved"]):
        return "left"
    return "saved"
