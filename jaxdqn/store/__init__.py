"""The store: the files of a study on disk, and the claims that let several processes share them."""
