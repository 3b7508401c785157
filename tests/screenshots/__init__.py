"""Screenshots of every page of the console in its various states, taken by `make screenshots`."""
