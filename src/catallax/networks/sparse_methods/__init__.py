"""Ways to a sparse code, one a file, and the certificate that all of them are held to."""
