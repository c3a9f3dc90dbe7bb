"""How well are wrong labels found, by our ranking and by confident learning (cleanlab), in the same trainings?

    python benchmarks/mislabelled.py --runs /tmp/mislabelled --images cifar10_subset.npz

1. 5 % of the labels of scikit-learn's digits, and of the images of an .npz if one is given, become others at random
   (flipped_labels.py); a network is trained on them and recorded, once for each seed. What is there is read.
2. Ours ranks the validation images by what was recorded (`Run.suspects`, analysis/suspicion.py). cleanlab ranks them by
   the probabilities of all classes after the last iteration (`get_label_quality_scores`, by each of its methods), and
   chooses some (`find_label_issues`, ranked among themselves by self-confidence).
3. Precision at the number of wrong labels: how many of as many first ones are wrong. The area under the ROC curve: how
   often a wrong label comes before a right one. Means over seeds.

The constants of ours were chosen on seeds 100 to 104, which are not among those here.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # run as a command, only this folder is there to import from

from benchmarks.flipped_labels import Trained, train_on_flipped  # noqa: E402
from deeptracker import open_run  # noqa: E402
from deeptracker.demo.datasets import load_dataset  # noqa: E402
from deeptracker.demo.image_data import ImageData  # noqa: E402

SHARE = 0.05
METHODS = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")

Scores = npt.NDArray[np.floating]


def our_scores(trained: Trained) -> Scores:
    """float (n,), the higher the more suspicious."""
    found = open_run(trained.run).suspects()
    scores = np.empty(len(found.samples))
    scores[found.samples] = found.score
    return scores


def their_scores(trained: Trained) -> dict[str, Scores]:
    """The same by each way of cleanlab."""
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    quality = {
        f"cleanlab {method}": -get_label_quality_scores(trained.labels, trained.probabilities, method=method)
        for method in METHODS
    }
    chosen = find_label_issues(trained.labels, trained.probabilities)
    return quality | {"cleanlab find_label_issues": quality["cleanlab self_confidence"] + 2.0 * chosen}


def precision_and_area(scores: Scores, is_wrong: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Precision at the number of wrong ones, and the area under the ROC curve.

    >>> precision_and_area(np.array([0.9, 0.1, 0.8, 0.3]), np.array([True, False, False, True]))
    (0.5, 0.75)
    """
    from sklearn.metrics import roc_auc_score

    first = np.argsort(-scores, kind="stable")[: is_wrong.sum()]
    return float(is_wrong[first].mean()), float(roc_auc_score(is_wrong, scores))


def trained_once(data: ImageData, runs: Path, seed: int) -> Trained:
    """The training of this seed, recorded now if it is not there yet."""
    run, kept = runs / f"{data.name}-{seed}", runs / f"{data.name}-{seed}.npz"
    if not kept.exists():
        done = train_on_flipped(data, run, share=SHARE, seed=seed)
        np.savez(kept, labels=done.labels, is_wrong=done.is_wrong, probabilities=done.probabilities)
    with np.load(kept) as found:
        return Trained(run, found["labels"], found["is_wrong"], found["probabilities"])


def rows(data: ImageData, runs: Path, seeds: list[int]) -> list[str]:
    """Lines of a table in Markdown, a row for each way."""
    by_way: dict[str, list[tuple[float, float]]] = {}
    errors = []
    for seed in seeds:
        trained = trained_once(data, runs, seed)
        errors.append(float((trained.probabilities.argmax(axis=1) != trained.labels).mean()))
        for way, scores in {"ours": our_scores(trained), **their_scores(trained)}.items():
            by_way.setdefault(way, []).append(precision_and_area(scores, trained.is_wrong))
    heads = [
        f"| {data.name}: {len(seeds)} seeds, error {np.mean(errors):.1%} | precision | area | precision of each seed |",
        "|---|---|---|---|",
    ]
    return heads + [
        f"| {way} | {np.mean([p for p, _ in found]):.3f} | {np.mean([a for _, a in found]):.4f} | "
        f"{', '.join(f'{p:.3f}' for p, _ in found)} |"
        for way, found in by_way.items()
    ]


def main() -> None:
    """Parse the command line, train what is missing, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, required=True, help="folder for the recorded trainings; kept")
    parser.add_argument("--images", type=Path, help="an .npz of colour images: x_train, y_train, x_test, y_test")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--image-seeds", type=int, nargs="+", default=[0, 1, 2])
    chosen = parser.parse_args()
    chosen.runs.mkdir(parents=True, exist_ok=True)
    print("\n".join(rows(load_dataset("digits"), chosen.runs, chosen.seeds)), flush=True)
    if chosen.images is not None:
        print("\n" + "\n".join(rows(load_dataset(chosen.images), chosen.runs, chosen.image_seeds)))


if __name__ == "__main__":
    main()
