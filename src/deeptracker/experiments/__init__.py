"""What happens when filters are taken away? Inactivated and compared with others (`ablate`), or removed (`prune`).

The user's own function makes the model, the user's own data judge it: this runs on the command line, never in the
server. torch is imported here; what is found is kept by store/experiments.py, which does not need it.
"""
