"""The HTTP API and the page. Routes parse, ask `Run`, and encode; neither torch nor files are known here."""
