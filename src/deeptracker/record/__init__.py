"""Inside the training process: the only folder that imports torch."""
