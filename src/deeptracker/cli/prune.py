"""`deeptracker prune`: a smaller state dict, without filters that do nothing; outputs stay the same."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from deeptracker.cli.ablate import At, Checkpoints, Model, Validation, Weights, load_model, progress, with_torch
from deeptracker.cli.console import RunPlace, counted, in_bytes, out, plain
from deeptracker.cli.imports import Allow, BatchSize, ImageSize, Mean, Sd
from deeptracker.documents import FORMAT_VERSION
from deeptracker.errors import DeepTrackerError

if TYPE_CHECKING:
    from deeptracker.experiments.prune import Pruned
    from deeptracker.experiments.weights_of_run import ChosenWeights
    from deeptracker.store.blobs import Blobs

SUFFIX = ".safetensors"

Dead = Annotated[bool, typer.Option("--dead", help="All dead filters of the run.")]
Filters = Annotated[
    list[str] | None,
    typer.Option("--filters", metavar="LAYER:N,N-N", help="Filters of a layer; may be given repeatedly."),
]
To = Annotated[str, typer.Option(metavar="FILE.safetensors", help="The smaller state dict; FILE.json says what it is.")]
Force = Annotated[bool, typer.Option("--force", help="Replace an earlier one.")]


def prune(
    run: RunPlace,
    model: Model,
    validation: Validation,
    to: To,
    dead: Dead = False,
    filters: Filters = None,
    weights: Weights = None,
    checkpoints: Checkpoints = None,
    at: At = None,
    force: Force = False,
    allow: Allow = None,
    batch_size: BatchSize = 256,
    image_size: ImageSize = None,
    mean: Mean = "",
    sd: Sd = "",
) -> None:
    """Write the weights of a model without its dead filters; outputs stay the same, within rounding.

    A filter takes with it its row of weight and bias, its channels of a batch normalisation, and the input channels of
    the layers behind. A constant that it gave is added to the bias there. It stays where it cannot go by itself: its
    output goes into a sum, a layer is grouped or shared, a layer or group normalisation takes its values together with
    others, it is no constant after all. What goes and what stays, and why, is said.

    Before anything is written the outputs of the smaller model are compared on all validation data; where they differ
    by more than 0.00001 of the largest, nothing is.

    FILE.json beside it has the new shapes. To load it, make the network with the widths that are printed, and give it
    `safetensors.torch.load_file(FILE)`.

    Weights, `--model` and `--validation` are as for `deeptracker ablate`.

    - `deeptracker prune runs/a --dead --model train:make_model --validation train:val_loader --weights last.pt --to small.safetensors`
    - `deeptracker prune runs/a --filters conv1:3,17 --model train:make_model --validation digits.npz --checkpoints checkpoints/ --to small.safetensors`
    """  # noqa: E501
    if (filters is not None) + dead != 1:
        raise ValueError("filters must be chosen in one way: --dead, or --filters LAYER:NUMBERS.")
    with_torch()
    from deeptracker.experiments.ablate import check_filters, sizes_of
    from deeptracker.experiments.choice import dead_filters, named_filters
    from deeptracker.experiments.prune import prune as pruned
    from deeptracker.experiments.weights_of_run import chosen_weights
    from deeptracker.run import open_run
    from deeptracker.store.blobs import Blobs

    place, name = _target(to, force=force)
    it = open_run(run)
    loaded = load_model(model, validation, batch_size=batch_size, size=image_size, mean=mean, sd=sd)
    sizes = sizes_of(loaded)
    chosen = dead_filters(it) if filters is None else named_filters(filters, sizes)
    if not chosen:
        raise DeepTrackerError("there must be dead filters to take away. This run has none; nothing was written.")
    check_filters(chosen, sizes)
    allowed = tuple(allow or ())
    with chosen_weights(
        Blobs(run), it.branches, weights=weights, checkpoints=checkpoints, at=at, allow=allowed
    ) as found:
        loaded.load(found.snapshot, allowed)
        with progress("pruning", "Stopped. Nothing was written.") as on_step:
            smaller = pruned(loaded.model, chosen, loaded.example(), loaded.inputs, on_step)
    _write(place, name, smaller, found, run)
    _say(smaller, found, to)


def _target(to: str, *, force: bool) -> tuple[Blobs, str]:
    from deeptracker.store.blobs import Blobs

    folder, _, name = to.rpartition("/")
    if not name.endswith(SUFFIX) or name == SUFFIX:
        raise ValueError(f"--to must be the name of a file that ends with {SUFFIX}. Got {to!r}.")
    place = Blobs(folder or (os.sep if to.startswith(os.sep) else "."))
    if place.exists(name) and not force:
        raise DeepTrackerError(f"{to} must not be there yet. It is. Give another name, or --force.")
    return place, name


def _write(place: Blobs, name: str, found: Pruned, weights: ChosenWeights, run: str) -> None:
    from safetensors.torch import save

    metadata = {} if weights.iteration is None else {"iteration": str(weights.iteration)}
    place.put(name, save(found.state, metadata))
    place.put(name.removesuffix(SUFFIX) + ".json", json.dumps(_described(found, weights, run), indent=1).encode())


def _described(found: Pruned, weights: ChosenWeights, run: str) -> dict[str, Any]:
    return {
        "format": "deeptracker-pruned",
        "format_version": FORMAT_VERSION,
        "run": run,
        "weights": weights.name,
        "iteration": weights.iteration,
        "layers": [
            {
                "layer": group.layer,
                "before": found.widths[group.layer][0],
                "after": found.widths[group.layer][1],
                "removed": group.filters,
            }
            for group in found.removed
        ],
        "kept": [{"layer": one.filters.layer, "filters": one.filters.filters, "why": one.why} for one in found.kept],
        "shapes": {name: {"before": before, "after": after} for name, (before, after) in found.shapes.items()},
        "parameters": {"before": found.parameters[0], "after": found.parameters[1]},
        "compared": {"samples": found.samples, "largest_difference": found.difference, "largest": found.largest},
    }


def _say(found: Pruned, weights: ChosenWeights, to: str) -> None:
    from deeptracker.store.experiments import in_words

    if weights.note:
        out.print(f"[yellow]note[/yellow] {plain(weights.note)}")
    before, after = found.parameters
    gone = sum(len(group.filters) for group in found.removed)
    out.print(f"{counted(gone, 'filter')} removed: {plain(in_words(found.removed))}")
    for one in found.kept:
        out.print(f"[yellow]kept[/yellow] {plain(in_words([one.filters]))}: {plain(one.why)}.")
    out.print(f"{before:,} -> {after:,} parameters ({after / before - 1:+.1%})")
    out.print(
        f"outputs of {counted(found.samples, 'sample')} differ by {found.difference:.2g} at most; the largest is "
        f"{found.largest:.3g}"
    )
    size = sum(tensor.numel() * tensor.element_size() for tensor in found.state.values())
    out.print(f"Written: {plain(to)}, {in_bytes(size)} of weights")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("to load it, make the network with", "was", "is"):
        table.add_column(heading)
    for name, (old, new) in found.shapes.items():
        table.add_row(plain(name), " x ".join(map(str, old)), " x ".join(map(str, new)))
    out.print(table)
