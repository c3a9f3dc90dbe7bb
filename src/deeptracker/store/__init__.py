"""Bytes of a run, on a local folder or an object store. Neither torch nor HTTP is known here."""
