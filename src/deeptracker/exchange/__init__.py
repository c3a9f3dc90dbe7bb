"""What other tools wrote, into a run; and a run, into what other tools read."""
