"""The program under "As Python": what Train does with these layers and options.

It is loaded when its panel is opened. The worker does the same (app.lab.network, app.lab.training):
tests/unit/app/test_training.py runs both and compares the weights.
"""

from app.state.architectures import POSITIONAL

MNIST = 60000  # images
SHORTCUT = "MNIST with a shortcut"  # as in app.lab.images.shortcut
_PENALISED = ("Conv2D", "Dense")
LOSS = "sparse_categorical_crossentropy"

_HEAD = """# Needs NumPy, and of this site's source py/ (on Python's path) and static/vendor/mnist/.
# A page has the same names in a worker: nn = (await farcall.connect("engine")).nn
import asyncio
from pathlib import Path

import nn

MNIST = Path("static/vendor/mnist")


def read(kind):
    names = (f"{{kind}}-images-idx3-ubyte.gz", f"{{kind}}-labels-idx1-ubyte.gz")
    return nn.Dataset.from_idx(*[(MNIST / name).read_bytes() for name in names])


async def main():
    nn.set_random_seed({seed})
"""
_TAIL = """    print(history.history)


asyncio.run(main())
"""


def text(layers, options, data, trained=0):
    """Return the program.

    Args:
        layers: (class name, arguments) of each; None for a network from a file.
        options: the settings of the page.
        data: {name, train, shape} of the training images.
        trained: epochs that a network from a file has been trained for.
    """
    lines = _HEAD.format(seed=options["seed"]).split("\n")[:-1]
    lines += _file(options) if layers is None else _network(layers, options["l2"], data["shape"])
    lines += _data(options, data)
    lines += _where(options)
    lines += _compile(options)
    lines += _fit(options, options["seed"] + (trained if layers is None else 0))
    return "\n".join(lines) + "\n" + _TAIL


def _network(layers, l2, shape):
    lines = [f"    l2 = nn.regularizers.L2({l2:g})"] if l2 else []
    lines.append("    model = nn.Sequential([")
    lines += [f"        nn.{call}," for call in calls(layers, l2, shape)]
    return lines + ["    ])"]


def calls(layers, l2, shape):
    """Return the call that makes each layer, the input first; `l2` is the name of the penalty."""
    sides = ", ".join([str(side) for side in shape])
    found = [f"Input(({sides}))"]
    for kind, arguments in layers:
        call = _call(kind, arguments)
        if l2 and kind in _PENALISED:
            call = f"{call[:-1]}, kernel_regularizer=l2)"
        found.append(call)
    return found


def _file(options):
    lines = ['    model = nn.io.load(Path("farcall-model.npz").read_bytes())  # see Download']
    if options["l2"]:
        lines += [
            "    for variable in model.trainable_variables:",
            "        if len(variable.shape) > 1:",
            f"            variable.regularizer = nn.regularizers.L2({options['l2']:g})",
        ]
    return lines


def _call(kind, arguments):
    places = POSITIONAL.get(kind, ())
    words = [_literal(arguments[name]) for name in places if name in arguments]
    others = sorted(name for name in arguments if name not in places)
    words += [f"{name}={_literal(arguments[name])}" for name in others]
    return f"{kind}({', '.join(words)})"


def _literal(value):
    if isinstance(value, float):  # MicroPython's repr has more digits than CPython's
        return f"{value:g}"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _data(options, data):
    """Return the lines that read the training images, all or the first, and change them."""
    lines = []
    if data["name"] not in ("MNIST", SHORTCUT):
        lines.append(f"    # The page learns from {data['name']}: put it in the place of MNIST.")
    elif data["train"] > MNIST:
        own = data["train"] - MNIST
        lines.append(f"    # The page has {own} drawings of yours before these images.")
    few = options["subset"] < data["train"]
    lines.append('    images = read("train")' + (f".take({options['subset']})" if few else ""))
    if data["name"] == SHORTCUT:
        lines += [
            "    # The background of each image gives its class away.",
            "    light = 12 * images.y[:, None, None, None]",
            "    images = nn.Dataset(images.x.clip(light), images.y)",
        ]
    words = [f"{name}={amount}" for name, amount in _changes(options) if options[name]]
    if words:
        words.append(f"seed={options['seed']}")
        lines.append("    images = nn.data.AugmentedDataset(")
        lines += [f"        images, {', '.join(words)}", "    )"]
    return lines


def _changes(options):
    return (
        ("shift", f"{options['shift']} / 28"),
        ("rotate", options["rotate"]),
        ("zoom", f"{options['zoom']} / 100"),
        ("noise", f"{options['noise']} / 100"),
    )


def _where(options):
    """Return the lines that say what trains, where that is not one core of the CPU."""
    lines = []
    if options["cores"] > 1:
        lines.append(
            f"    # The page shares each batch among {options['cores']} workers, which adds"
        )
        lines.append(
            "    # numbers in another order; docs/team.md says how processes do that here."
        )
    if options["device"] != "cpu":
        lines.append(f'    device = "{options["device"]}" if await nn.gpu.open() else "cpu"')
    return lines


def _compile(options):
    rate, schedule = rates(options, "nn.schedules")
    lines = ["    " + line for line in schedule]
    device = ", device=device" if options["device"] != "cpu" else ""
    return lines + [
        f"    optimizer = nn.optimizers.{options['optimizer']}(learning_rate={rate})",
        f'    model.compile(optimizer, "{LOSS}", metrics=["accuracy"]{device})',
    ]


def rates(options, schedules):
    """Return what an optimizer takes as its rate, and the lines that make it, for a schedule.

    Args:
        options: lr, schedule, epochs, batch.
        schedules: the module that has them.
    """
    rate = f"{options['lr']:g}"
    if options["schedule"] == "constant":
        return rate, []
    batches = f"-(-len(images) // {options['batch']})"
    lines = [f"steps = {options['epochs']} * {batches}  # batches in all"]
    if options["schedule"] == "cosine":
        return "rate", lines + [f"rate = {schedules}.CosineDecay({rate}, steps)"]
    return "rate", lines + [
        "thirds = [-(-steps // 3) - 1, -(-2 * steps // 3) - 1]  # the last batch of each",
        f"rates = [{rate} * 0.1**third for third in range(3)]",
        f"rate = {schedules}.PiecewiseConstantDecay(thirds, rates)",
    ]


def _fit(options, seed):
    lines = [
        "    history = await model.fit(",
        "        images,",
        '        validation_data=read("t10k"),',
        f"        epochs={options['epochs']},",
        f"        batch_size={options['batch']},",
        f"        seed={seed},",
    ]
    lines.append("        callbacks=[")
    lines += [f"            nn.{callback}," for callback in callbacks(options)]
    return lines + ["        ],", "    )"]


def callbacks(options):
    """Return the call that makes each callback."""
    found = ["TerminateOnNaN()"]
    if options["patience"]:
        stop = f'monitor="val_loss", patience={options["patience"]}, restore_best_weights=True'
        found.append(f"EarlyStopping({stop})")
    return found
