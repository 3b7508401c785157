"""Pictures of every page and state of the console, taken by `make screenshots`."""
