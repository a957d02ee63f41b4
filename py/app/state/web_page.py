"""A page that answers with a downloaded network, beside farcall.zip, predict.zip and model.npz.

Any server of files serves it. A drawing or a picture is read by the network in a worker.
"""

import json

TEMPLATE = "./static/web-page.html"
FILES = ("farcall.zip", "predict.zip")  # of static/vendor/python


def text(template, names, shape):
    """Return index.html.

    Args:
        template: the text of TEMPLATE.
        names: of the classes.
        shape: of an image: height, width, channels.
    """
    # A name may hold anything: as JSON without < it ends no script.
    classes = json.dumps([str(name) for name in names]).replace("<", "\\u003c")
    for mark, value in zip(("@HEIGHT@", "@WIDTH@", "@CHANNELS@"), shape):
        template = template.replace(mark, str(value))
    return template.replace("@NAMES@", classes)  # last: a name may look like a mark
