"""What each number of the page is, in a line: by the output's name or id, or a column's head.

tests/unit/app/state/test_what_is.py finds every number of the page and asks for its line.
"""

from collections import OrderedDict

from app.language import key, tr

# name: (label in the list of all, line). That of a column is its head.
FIGURES = OrderedDict(
    [
        (
            "val_accuracy",
            (
                tr("Test acc."),
                tr("The share of test images read right; no training ever uses them."),
            ),
        ),
        (
            "accuracy",
            (tr("Training accuracy"), tr("The share of this epoch's images read right so far.")),
        ),
        (
            "loss",
            (
                tr("Loss"),
                tr("How far the answers on training images are from right; 0 is sure and right."),
            ),
        ),
        (
            "val_loss",
            (
                tr("Test loss"),
                tr("The loss on the test images; it rises while a network over-fits."),
            ),
        ),
        (
            "epoch",
            (tr("Epoch"), tr("The epoch under way, of all; in one epoch each image is seen once.")),
        ),
        (
            "batch",
            (
                tr("Batch"),
                tr("The batch under way, of all in an epoch; after each the weights move."),
            ),
        ),
        (
            "images_per_second",
            (tr("Images/s"), tr("Training images that pass through the network in a second.")),
        ),
        (
            "eta",
            (tr("Time left"), tr("When the last epoch will have ended, at the present speed.")),
        ),
        ("elapsed", (tr("Time"), tr("How long this run or epoch took; pauses do not count."))),
        (
            "learning_rate",
            (tr("Rate"), tr("How far each step moves the weights; a schedule may change it.")),
        ),
        (
            "prediction",
            (tr("Answer"), tr("The class with the largest share, which is the network's answer.")),
        ),
        (
            "confidence",
            (
                tr("Confidence"),
                tr("The largest of the shares; it is not the chance that the answer is right."),
            ),
        ),
        (
            "subset-value",
            (
                tr("Training images"),
                tr("How many of the training images are used, from the first."),
            ),
        ),
        (
            "drawn-count",
            (tr("Labelled drawings"), tr("Your drawings of which you said what they are.")),
        ),
        (
            "total-params",
            (tr("Parameters"), tr("All numbers of the network; the trained ones are its weights.")),
        ),
        (
            "option-lr-value",
            (tr("Learning rate"), tr("The rate a run begins with; 0.001 is usual for Adam.")),
        ),
        (
            "option-smoothing-value",
            (
                tr("Smoothing"),
                tr("How much of the past the drawn curve keeps; 0 draws each batch."),
            ),
        ),
        (
            "option-shift",
            (tr("Shift"), tr("The most pixels that an image is moved by, another way each time.")),
        ),
        (
            "option-rotate",
            (tr("Rotation"), tr("The most degrees that an image is turned by, either way.")),
        ),
        ("option-zoom", (tr("Zoom"), tr("The most percent that an image grows or shrinks by."))),
        (
            "option-noise",
            (tr("Noise"), tr("The deviation of what is added to each pixel, in percent.")),
        ),
        (
            key("Epochs"),
            (
                tr("Epochs, of a run"),
                tr("How many epochs the run has done, of how many it planned."),
            ),
        ),
        (
            key("Test error"),
            (tr("Test error"), tr("The share of test images read wrong: 100 % less the accuracy.")),
        ),
        (
            key("Images"),
            (tr("Images, of a class"), tr("How many training images have this class.")),
        ),
        (
            key("Params"),
            (
                tr("Params, of a layer"),
                tr("How many numbers the layer has: weights, biases, means."),
            ),
        ),
        (
            key("File"),
            (tr("File"), tr("The size of the network's file with weights of this kind.")),
        ),
        (
            key("With kernels"),
            (tr("With kernels"), tr("Images in a second, or milliseconds, with compiled kernels.")),
        ),
        (
            key("NumPy alone"),
            (tr("NumPy alone"), tr("The same task without the kernels, by NumPy.")),
        ),
        (key("Nodes"), (tr("Nodes"), tr("The devices whose weights the round averaged."))),
        (
            key("Right on your test images"),
            (
                tr("Right on your test images"),
                tr("The shared network's accuracy on the test images of this tab."),
            ),
        ),
        (
            key("Epsilon"),
            (tr("Epsilon"), tr("What the rounds may reveal of one image; less is more private.")),
        ),
        (
            key("Precision"),
            (tr("Precision"), tr("Of all answers of this class, the share that are right.")),
        ),
        (
            key("Recall"),
            (tr("Recall"), tr("Of all images of this class, the share that are found.")),
        ),
        (
            key("Forward"),
            (tr("Forward"), tr("Time that the layer takes to compute its output of a batch.")),
        ),
        (
            key("Backward"),
            (tr("Backward"), tr("Time that the layer takes to compute its gradients.")),
        ),
        (key("Share"), (tr("Share"), tr("The layer's part of the time of all layers."))),
        ("F1", ("F1", tr("The harmonic mean of precision and recall; 1 is best."))),
    ]
)
# Heads of columns that have an output's number, and the unit's own words.
ALSO = {
    key("Accuracy"): "accuracy",
    key("Loss"): "loss",
    key("Test acc."): "val_accuracy",
    key("Test loss"): "val_loss",
    key("Time"): "elapsed",
}


def line(shown):
    """Return the line about a number, '' where there is no such number.

    Args:
        shown: an output's name or id, or a column's head as the page shows it.
    """
    heads = {tr(name): name for name in list(FIGURES) + list(ALSO)}
    name = heads.get(shown, shown)
    return FIGURES.get(ALSO.get(name, name), ("", ""))[1]
