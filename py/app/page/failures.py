"""Failures in words: what happened, and what to do next."""

from app.language import tr

_EXPLANATIONS = {
    "WorkerDiedError": (
        tr("The worker is gone"),
        tr(
            "It ran out of memory or the browser stopped it. Restart it: saved "
            "models are kept, and a run goes on from its last checkpoint."
        ),
    ),
    "WorkerBootError": (
        tr("The worker could not start"),
        tr(
            "Its Python files are missing or wrong on the server. Restore them, then "
            "reload the page."
        ),
    ),
    "DataError": (
        tr("A data file is damaged"),
        tr("Fetch static/vendor/mnist/ again on the server (make clean, make serve), then reload."),
    ),
    "DownloadError": (
        tr("A file could not be fetched"),
        tr("Check the connection and that the server has the file, then press Retry."),
    ),
    "TimeoutError": (
        tr("The worker does not answer"),
        tr(
            "Reload the page. If it happens again, close other tabs: the machine may "
            "be out of memory."
        ),
    ),
}


def explain(error):
    """Return what an error that ends a start means, and what to do next."""
    names = [type(error).__name__, getattr(error, "type_name", ""), getattr(error, "kind", "")]
    for name in names:
        if name in _EXPLANATIONS:
            return _EXPLANATIONS[name]
    return tr("Starting failed"), tr(
        "Reload the page. If it happens again, report the details below."
    )


def is_gone(error):
    """Return whether an error says that the worker is gone."""
    return type(error).__name__ == "WorkerDiedError"


def first_line(error):
    """Return the first line of an error's message."""
    arguments = getattr(error, "args", ())
    if len(arguments) == 3 and type(error).__name__ == "JsException":
        return f"{arguments[1]}: {arguments[2]}"  # MicroPython's: the object, its name, its message
    text = str(error) or type(error).__name__
    return text.split("\n")[0]
