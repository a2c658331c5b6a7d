"""Streams, cut into frames."""

from .stream import Channel
