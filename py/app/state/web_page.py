"""A page that answers with a downloaded network, beside model.npz and archives of Python.

Any server of files serves it. A drawing or a picture is read by the network in a worker.
"""

import json

TEMPLATE = "./static/web-page.html"
RPC = "farcall.zip"  # of static/vendor/python; what the page itself needs


def text(template, names, shape, parts):
    """Return index.html.

    Args:
        template: the text of TEMPLATE.
        names: of the classes.
        shape: of an image: height, width, channels.
        parts: archives that the worker needs.
    """
    files = json.dumps({f"./{part}": "./*" for part in parts})
    template = template.replace("@FILES@", files)
    # A name may hold anything: as JSON without < it ends no script.
    classes = json.dumps([str(name) for name in names]).replace("<", "\\u003c")
    for mark, value in zip(("@HEIGHT@", "@WIDTH@", "@CHANNELS@"), shape):
        template = template.replace(mark, str(value))
    return template.replace("@NAMES@", classes)  # last: a name may look like a mark
