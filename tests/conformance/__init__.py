"""HTTP by the letter: what a proxy does with exact bytes, Ficus beside nginx, HAProxy and Envoy.

A case (`cases/`) is data: the bytes that a client sends, what the origin behind the proxy does, and checks of what both
saw. `run` plays every case against every proxy that `proxies` can start; `board` prints what came out;
`exceptions.toml` holds the reasons where Ficus does not do as well as the best of the others.
"""
