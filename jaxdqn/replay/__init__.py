"""Replay memories: pure functions over rings of whole transitions that live on the device."""
