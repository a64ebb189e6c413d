"""Watching an agent play: from weights to a terminal, an animation or a strip of frames."""
