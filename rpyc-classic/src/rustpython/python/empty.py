"""A package of rpyc's, as far as clients look for it on the server's side."""
