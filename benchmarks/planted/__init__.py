"""In which trainings is it known what is to be found? Small real ones, each with one fault, and healthy ones.

1. Each trains a small network on scikit-learn's digits through the real `Recorder`, a few seconds (training.py).
2. A fault is a function that changes one thing of the usual training. What is to be found, and what else is true of
   such a training, stands beside it, written before any rule was run on it (planting.py; faults_*.py, healthy.py).
"""

from benchmarks.planted import faults_of_classes, faults_of_layers, faults_of_training, healthy
from benchmarks.planted.planting import ANYWHERE, Expected, Planting, recorded

FAULTS: tuple[Planting, ...] = (
    *faults_of_layers.FAULTS,
    *faults_of_training.FAULTS,
    *faults_of_classes.FAULTS,
)
HEALTHY: tuple[Planting, ...] = healthy.HEALTHY
ALL = (*FAULTS, *HEALTHY)

__all__ = ["ALL", "ANYWHERE", "FAULTS", "HEALTHY", "Expected", "Planting", "recorded"]
