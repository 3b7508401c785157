"""The pictures of every page and state, taken by `make screenshots`."""
