from .._authenticators import AuthenticationError as AuthenticationError
from .._authenticators import SSLAuthenticator as SSLAuthenticator
