"""Replay memories: pure functions over ring buffers of transitions that live on the device."""
