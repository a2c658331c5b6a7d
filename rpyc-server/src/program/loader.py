def run():
    import os
    import sys

    version, places, arguments = sys.argv[1], sys.argv[2].split(os.pathsep), sys.argv[3:]

    def fail(message, hint):
        sys.stderr.write("rpyc-server: --python %s: %s\n  %s\n" % (sys.executable, message, hint))
        sys.exit(2)

    install = "%s -m pip install ./rpyc-server/python, in the sources of rpyc-server %s." % (
        sys.executable,
        version,
    )
    here = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < (3, 10):
        fail("it is Python %s" % here, "CPython 3.10 or newer is needed.")
    if sys.implementation.name != "cpython":
        import platform

        other = platform.python_implementation()
        fail("it is %s, of Python %s" % (other, here), "CPython 3.10 or newer is needed.")
    if "t" in sys.abiflags:
        fail("it is a free-threaded Python", "Take the ordinary one of the same version.")
    if sys.path and sys.path[0] == "":
        del sys.path[0]

    # `importlib.util` has the same, and brings much along.
    from _frozen_importlib import module_from_spec
    from _frozen_importlib_external import ExtensionFileLoader, PathFinder, spec_from_file_location

    package = PathFinder.find_spec("rpyc_rs")
    if package and package.submodule_search_locations:
        folders = package.submodule_search_locations
        places = [os.path.join(folder, "_native.abi3.so") for folder in folders] + places
    place = next((place for place in places if os.path.isfile(place)), None)
    if place is None:
        fail(
            "the extension module for it is in none of %s" % ", ".join(places),
            "Put %s of the same build beside the program, or install it: %s"
            % (os.path.basename(places[-1]), install),
        )
    name = "rpyc_rs._native"
    try:
        spec = spec_from_file_location(name, place, loader=ExtensionFileLoader(name, place))
        native = module_from_spec(spec)
        spec.loader.exec_module(native)
    except ImportError as error:
        fail("%s can't be loaded: %s" % (place, error), "Install or build it anew.")
    if native.__version__ != version:
        fail(
            "%s is of version %s, the program of %s" % (place, native.__version__, version),
            "Install the same: " + install,
        )
    native.run([os.fsencode(argument) for argument in arguments], place, True)


run()
