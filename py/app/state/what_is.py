"""What each number of the page is, in a line: by the output's name or id, or a column's head.

tests/unit/app/state/test_what_is.py finds every number of the page and asks for its line.
"""

from collections import OrderedDict

# key: (label in the list of all, line). A key of a column is its head.
FIGURES = OrderedDict(
    [
        (
            "val_accuracy",
            ("Test acc.", "The share of test images read right; no training ever uses them."),
        ),
        ("accuracy", ("Training accuracy", "The share of this epoch's images read right so far.")),
        (
            "loss",
            ("Loss", "How far the answers on training images are from right; 0 is sure and right."),
        ),
        (
            "val_loss",
            ("Test loss", "The loss on the test images; it rises while a network over-fits."),
        ),
        ("epoch", ("Epoch", "The epoch under way, of all; in one epoch each image is seen once.")),
        (
            "batch",
            ("Batch", "The batch under way, of all in an epoch; after each the weights move."),
        ),
        (
            "images_per_second",
            ("Images/s", "Training images that pass through the network in a second."),
        ),
        ("eta", ("Time left", "When the last epoch will have ended, at the present speed.")),
        ("elapsed", ("Time", "How long this run or epoch took; pauses do not count.")),
        (
            "learning_rate",
            ("Rate", "How far each step moves the weights; a schedule may change it."),
        ),
        (
            "prediction",
            ("Answer", "The class with the largest share, which is the network's answer."),
        ),
        (
            "confidence",
            (
                "Confidence",
                "The largest of the shares; it is not the chance that the answer is right.",
            ),
        ),
        (
            "subset-value",
            ("Training images", "How many of the training images are used, from the first."),
        ),
        ("drawn-count", ("Labelled drawings", "Your drawings of which you said what they are.")),
        (
            "total-params",
            ("Parameters", "All numbers of the network; the trained ones are its weights."),
        ),
        (
            "option-lr-value",
            ("Learning rate", "The rate a run begins with; 0.001 is usual for Adam."),
        ),
        (
            "option-smoothing-value",
            ("Smoothing", "How much of the past the drawn curve keeps; 0 draws each batch."),
        ),
        (
            "option-shift",
            ("Shift", "The most pixels that an image is moved by, another way each time."),
        ),
        ("option-rotate", ("Rotation", "The most degrees that an image is turned by, either way.")),
        ("option-zoom", ("Zoom", "The most percent that an image grows or shrinks by.")),
        ("option-noise", ("Noise", "The deviation of what is added to each pixel, in percent.")),
        (
            "Epochs",
            ("Epochs, of a run", "How many epochs the run has done, of how many it planned."),
        ),
        (
            "Test error",
            ("Test error", "The share of test images read wrong: 100 % less the accuracy."),
        ),
        ("Images", ("Images, of a class", "How many training images have this class.")),
        (
            "Params",
            ("Params, of a layer", "How many numbers the layer has: weights, biases, means."),
        ),
        ("File", ("File", "The size of the network's file with weights of this kind.")),
        (
            "With kernels",
            ("With kernels", "Images in a second, or milliseconds, with compiled kernels."),
        ),
        ("NumPy alone", ("NumPy alone", "The same task without the kernels, by NumPy.")),
        ("Nodes", ("Nodes", "The devices whose weights the round averaged.")),
        (
            "Right on your test images",
            (
                "Right on your test images",
                "The shared network's accuracy on the test images of this tab.",
            ),
        ),
        ("Epsilon", ("Epsilon", "What the rounds may reveal of one image; less is more private.")),
        ("Precision", ("Precision", "Of all answers of this class, the share that are right.")),
        ("Recall", ("Recall", "Of all images of this class, the share that are found.")),
        ("Forward", ("Forward", "Time that the layer takes to compute its output of a batch.")),
        ("Backward", ("Backward", "Time that the layer takes to compute its gradients.")),
        ("Share", ("Share", "The layer's part of the time of all layers.")),
        ("F1", ("F1", "The harmonic mean of precision and recall; 1 is best.")),
    ]
)
# Heads of columns that have an output's number, and the unit's own words.
ALSO = {
    "Accuracy": "accuracy",
    "Loss": "loss",
    "Test acc.": "val_accuracy",
    "Test loss": "val_loss",
    "Time": "elapsed",
}


def line(key):
    """Return the line about a number, '' where there is no such number."""
    return FIGURES.get(ALSO.get(key, key), ("", ""))[1]
