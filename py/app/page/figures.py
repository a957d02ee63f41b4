"""The figures of a run: epoch, batch, speed, times, loss, accuracy, and the progress bar."""

from app.page import dom, numbers

NAMES = (
    "epoch",
    "batch",
    "images_per_second",
    "learning_rate",
    "elapsed",
    "eta",
    "loss",
    "accuracy",
    "val_loss",
    "val_accuracy",
)


def clear():
    """Show a dash for every figure."""
    for name in NAMES:
        dom.write(name, numbers.DASH)
    dom.find("progress").value = 0


def show_means(logs):
    """Show the loss and the accuracy of a batch or of an epoch so far."""
    dom.write("loss", numbers.loss(logs["loss"]))
    dom.write("accuracy", numbers.percent(logs["accuracy"]))


def show_batch(logs, epochs, elapsed, seen, images):
    """Show a batch's logs.

    Args:
        logs: of the engine.
        epochs: of the run.
        elapsed: seconds since the run began, pauses left out.
        seen: images that the run has learned from.
        images: that it will learn from in all.
    """
    rate = logs["images_per_second"]
    dom.write("epoch", f"{int(logs['epoch']) + 1}/{epochs}")
    dom.write("batch", f"{int(logs['batch'])}/{int(logs['batches'])}")
    dom.write("images_per_second", numbers.count(rate) if rate else numbers.DASH)
    dom.write("learning_rate", numbers.rate(logs["learning_rate"]))
    dom.write("elapsed", numbers.clock(elapsed))
    dom.write("eta", numbers.remaining(seen, images, rate))
    show_means(logs)
    dom.find("progress").value = seen / images


def show_test(row):
    """Show the test loss and accuracy of an epoch."""
    if row["val_loss"] is not None:
        dom.write("val_loss", numbers.loss(row["val_loss"]))
        dom.write("val_accuracy", numbers.percent(row["val_accuracy"]))
