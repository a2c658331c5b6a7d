"""What lets clients in."""

import os
import socket
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    import ssl

__all__ = ["AuthenticationError", "SSLAuthenticator"]


class AuthenticationError(Exception):
    """Raised by an authenticator: the client isn't let in. Any other exception has the same effect."""


class SSLAuthenticator:
    """Lets in whoever speaks TLS; with `ca_certs` those alone who show a certificate of one of these
    authorities, which is then `conn._config["credentials"]` of the service, as `getpeercert()` has it.

    The files are read for each client: a new certificate counts from then on.
    """

    def __init__(
        self,
        keyfile: "str | os.PathLike[str]",
        certfile: "str | os.PathLike[str]",
        ca_certs: "Optional[str | os.PathLike[str]]" = None,
        cert_reqs: Optional[int] = None,
        ssl_version: Optional[int] = None,
        ciphers: Optional[str] = None,
    ) -> None:
        import ssl  # most programs don't need it

        self.keyfile = keyfile
        self.certfile = certfile
        self.ca_certs = ca_certs
        if cert_reqs is None:
            cert_reqs = ssl.CERT_REQUIRED if ca_certs else ssl.CERT_NONE
        self.cert_reqs = cert_reqs
        self.ssl_version = ssl_version
        self.ciphers = ciphers

    def __call__(self, sock: socket.socket) -> "tuple[ssl.SSLSocket, Any]":
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if self.ssl_version is None else self.ssl_version)
        context.load_cert_chain(self.certfile, keyfile=self.keyfile)
        context.verify_mode = ssl.VerifyMode(self.cert_reqs)
        if self.ca_certs is not None:
            context.load_verify_locations(self.ca_certs)
        if self.ciphers is not None:
            context.set_ciphers(self.ciphers)
        try:
            wrapped = context.wrap_socket(sock, server_side=True)
        except ssl.SSLError as error:
            raise AuthenticationError(str(error)) from error
        return wrapped, wrapped.getpeercert()


# Where programs find them.
for _class in AuthenticationError, SSLAuthenticator:
    _class.__module__ = "rpyc_rs.utils.authenticators"
