"""Playing episodes with trained weights: in a terminal, as an animation or film, or as a strip of frames."""
