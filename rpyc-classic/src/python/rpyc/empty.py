"""A package, as far as clients of rpyc look for it on the server's side."""
