"""Running the tests at dates and times where date code often fails: `make test-clocks`."""
