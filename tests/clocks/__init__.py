"""The suite as of moments that are easily got wrong: `make test-clocks`."""
