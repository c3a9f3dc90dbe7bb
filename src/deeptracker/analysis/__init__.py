"""What the recorded arrays mean: arrays in, arrays out, without paths, HTTP or global state."""
