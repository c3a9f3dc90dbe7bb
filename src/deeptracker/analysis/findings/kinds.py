"""Which kinds of findings are there, what do they usually mean, and what does one try?

`view` is the view that shows such a finding, `measure` what that view should draw (one of NODE_MEASURES).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Kind:
    """`title` is a few words; `meaning` and `remedy` are sentences for people. `once`: there is one in a run at most,
    whatever classes it names."""

    title: str
    meaning: str
    remedy: str
    view: Literal["validation", "layers", "confusion"]
    measure: str | None = None
    once: bool = False


KINDS: dict[str, Kind] = {
    "not-finite": Kind(
        "NaN or infinite",
        "A division by zero, a logarithm of zero, or steps so large that numbers overflow. From there on nothing that "
        "these weights touch can be learned.",
        "Lower the learning rate or warm it up, clip gradients, look at the loss for log(0). The flight recorder keeps "
        "the iterations before: Recorder(..., flight=200).",
        "layers",
        "nonfinite",
    ),
    "not-learning": Kind(
        "Not learning",
        "The validation error stays where guessing would have it, whatever happens to the training error.",
        "Check that labels belong to their images, that the optimizer has all parameters, and the learning rate.",
        "validation",
    ),
    "learning-rate-too-high": Kind(
        "Learning rate too high",
        "Dead filters, spikes of the loss and an error that leaps up and down come together where steps are too large, "
        "at the beginning above all (paper, 8.1 and 8.2).",
        "Warm the learning rate up over the first epochs, or lower it.",
        "layers",
        "update_ratio",
    ),
    "exploding-gradients": Kind(
        "Exploding gradients",
        "Gradients grow by orders of magnitude, over iterations or from layer to layer.",
        "Clip gradients, lower the learning rate, normalise activations, check the initialisation.",
        "layers",
        "grad_l2",
    ),
    "vanishing-gradients": Kind(
        "Vanishing gradients",
        "Layers far from the loss get gradients that are orders of magnitude smaller than those near it, beyond what "
        "the size of their weights explains: they hardly learn.",
        "Add normalisation or skip connections, use ReLU in place of saturating activations.",
        "layers",
        "grad_l2",
    ),
    "initialisation": Kind(
        "Initialisation out of scale",
        "The weights began with a standard deviation that is far from what keeps signals in scale (Glorot and Bengio, "
        "2010; He et al., 2015). Behind a normalisation such a layer still works, but learns too slowly or too fast.",
        "Initialise this layer by torch.nn.init.kaiming_normal_ or xavier_uniform_.",
        "layers",
        "sd",
    ),
    "frozen-layer": Kind(
        "Frozen layer",
        "Its weights never change: it does not require gradients, or it was not handed to the optimizer. In "
        "fine-tuning that is done on purpose.",
        "If it was a mistake, set requires_grad and hand its parameters to the optimizer.",
        "layers",
        "change",
    ),
    "dead-filters": Kind(
        "Dead filters",
        "Filters that get no gradient and do not change direction while others learn: hardly any input activates them "
        "(dying ReLU). A learning rate that was too high at the beginning is the usual cause (paper, 8.2).",
        "Warm the learning rate up. They can be removed without loss: deeptracker ablate RUN --dead shows it, "
        "deeptracker prune RUN --dead does it.",
        "layers",
        "change",
    ),
    "decaying-filters": Kind(
        "Filters that only decay",
        "Their gradients are nothing beside the weight decay, which shrinks them step by step towards zero.",
        "They are on their way to be removable. If there are many, the weight decay is too strong or the layer too "
        "wide.",
        "layers",
        "l2",
    ),
    "over-active-filters": Kind(
        "Over-active filters",
        "Late in training, when their layer has settled, a few filters still change far more than all others "
        "(paper, 8.2).",
        "See which classes go with them in the Correlation view; lower the learning rate further or average weights.",
        "layers",
        "change",
    ),
    "update-ratio-high": Kind(
        "Steps too large",
        "A step changes this layer's weights by far more than a thousandth.",
        "Lower the learning rate, for this layer at least.",
        "layers",
        "update_ratio",
    ),
    "update-ratio-low": Kind(
        "Steps too small",
        "A step changes this layer's weights by far less than a thousandth: it hardly learns.",
        "Raise the learning rate, for this layer at least.",
        "layers",
        "update_ratio",
    ),
    "overfitting": Kind(
        "Training and validation apart",
        "The network goes on learning its training images by heart, and gains nothing on others.",
        "More data or augmentation, weight decay, dropout, a smaller network, or stop earlier.",
        "validation",
    ),
    "underfitting": Kind(
        "Training and validation stuck together",
        "The network cannot even learn its training images: it is too small, held back, or the rate is too low.",
        "A larger network, less regularisation, a higher learning rate or more iterations.",
        "validation",
    ),
    "loss-spike": Kind(
        "Loss spike",
        "The loss shoots up far above what it was just before: a bad batch, or steps too large.",
        "Clip gradients, look at the batch: the flight recorder keeps it (Recorder(..., flight=200)).",
        "validation",
    ),
    "error-step": Kind(
        "Error falls with the learning rate",
        "The error falls at once where the learning rate does: steps were too large to come further.",
        "Expected in training by stages. Where the error had stood still for long before, lower the rate sooner.",
        "validation",
    ),
    "many-classes-jump": Kind(
        "Many classes jump together",
        "Most classes become much worse from one dump to the next: the whole network has moved, not what it knows of "
        "a class. A bad batch, or a step that was too large.",
        "Look at loss and learning rate there, and at the filters that moved the most (Correlation view). Clip "
        "gradients; the flight recorder keeps the batch: Recorder(..., flight=200).",
        "validation",
        once=True,
    ),
    "classes-take-turns": Kind(
        "Classes take turns",
        "Classes are learned and forgotten in turns, at the rhythm of the epochs: batches hold few classes at a time, "
        "in the same order each epoch.",
        "Shuffle the training data: DataLoader(..., shuffle=True).",
        "validation",
        once=True,
    ),
    "class-collapse": Kind(
        "Class collapses",
        "Nearly all samples of a class that were right become wrong at once, while other classes stay as they are.",
        "See what they are taken for then, and which filters moved (Correlation view). If it happens early to many "
        "classes, the learning rate is too high.",
        "validation",
    ),
    "class-forgotten": Kind(
        "Class forgotten",
        "A class that was learned is lost, and has stayed so, while the others have not.",
        "Is it still among the training data? Has its weight in the loss changed, or another class taken over its "
        "images?",
        "validation",
    ),
    "class-never-learned": Kind(
        "Class never learned",
        "The samples of this class are wrong during the whole training, while others are learned. If nothing is taken "
        "for it either, it is missing from the training data.",
        "Check that it is among the training data, its labels, and whether it is covered by another class.",
        "validation",
    ),
    "class-easy-early": Kind(
        "Classes easy early",
        "These classes were right after a few iterations and stayed so (paper, 8.1).",
        "Candidates to feed less: training on them changes little.",
        "validation",
        once=True,
    ),
    "swapped-classes": Kind(
        "Classes swapped",
        "Nearly all samples of one class are taken for another, and those of the other for it: training and validation "
        "data have their names or labels exchanged.",
        "Compare the class lists of training and validation data.",
        "confusion",
    ),
    "confused-classes": Kind(
        "Classes confused",
        "Many samples of one class are taken for another.",
        "See the pictures behind the cell: are the labels clear? More data of both, or more resolution.",
        "confusion",
    ),
    "mislabelled-samples": Kind(
        "Likely mislabelled",
        "Samples that were never right and always taken for one other class, while most others of their own class are "
        "right.",
        "Look at the pictures, the most suspicious first, and correct or drop them; Run.suspects() ranks all samples. "
        "Where validation data are mislabelled, training data probably are too.",
        "validation",
        once=True,
    ),
    "samples-always-wrong": Kind(
        "Samples always wrong",
        "Samples that are never right although their class is learned, and are not all taken for one class.",
        "Look at them: damaged, atypical (the paper's white mushrooms), or several things in one picture.",
        "validation",
        once=True,
    ),
    "samples-often-forgotten": Kind(
        "Samples often forgotten",
        "Samples that were learned and lost again and again (Toneva et al., 2019): they lie between classes.",
        "They carry the most information: good candidates for more weight or augmentation.",
        "validation",
        once=True,
    ),
}
