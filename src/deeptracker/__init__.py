"""See what happens inside the training of a CNN."""
__version__ = "0.1.0"
