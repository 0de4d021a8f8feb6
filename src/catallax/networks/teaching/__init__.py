"""The kinds of teaching: one a file. What reaches a layer is what is told through the wire (`signals.teaching`)."""
