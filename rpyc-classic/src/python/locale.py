"""`locale.setlocale` for the thread that calls it, and with that for the session that it runs."""

import sys

import _rpyc_native


def share():
    """Puts it in the place of Python's own, which is for the whole process."""
    if not hasattr(_rpyc_native, "set_locale"):
        # The system keeps no locale for a thread.
        return
    import _locale

    set_locale = _rpyc_native.set_locale

    def setlocale(category, locale=None, /):
        name = set_locale(category, locale)
        if name is None:
            raise _locale.Error("unsupported locale setting")
        return name

    _locale.setlocale = setlocale
    if "locale" in sys.modules:
        sys.modules["locale"]._setlocale = setlocale
