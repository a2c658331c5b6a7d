from .stream import Channel as Channel
