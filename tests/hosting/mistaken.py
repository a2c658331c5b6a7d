"""What a checker of types finds."""

import rpyc_rs as rpyc

rpyc.conect("localhost", 18861)  # wrong
rpyc.connect("localhost", "18861")  # wrong
rpyc.connect("localhost", 18861, verbose=True)  # wrong
rpyc.ThreadedServer(rpyc.Service, prot=5)  # wrong
rpyc.ThreadedServer(rpyc.Service, port=5).strat()  # wrong
rpyc.async_(len).wait()  # wrong
port: str = rpyc.UDPRegistryClient().register(["A"], 5)  # wrong
