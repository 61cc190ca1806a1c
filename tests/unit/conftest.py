"""Profiles of Hypothesis: its default for every run, `--hypothesis-profile soak` for `make soak`."""

from hypothesis import settings

settings.register_profile("soak", max_examples=3000)
