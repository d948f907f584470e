"""A proxy on loopback that holds back what a server answers: LISTEN-PORT SERVER-PORT MILLISECONDS.

A piece of the answer that follows a pause of the server comes late by so much, as over a long way; what streams
comes at full speed.
"""

import socket
import sys
import threading
import time

listen, server, delay = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) / 1000


def carry(source, target, before):
    """Hands on what comes, after `before`, until one side ends."""
    try:
        while data := source.recv(1 << 18):
            before()
            target.sendall(data)
    except OSError:
        pass
    finally:
        try:
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def serve(client):
    upstream = socket.create_connection(("127.0.0.1", server))
    for end in (client, upstream):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    late = {"asked": False}

    def ask():
        late["asked"] = True

    def answer():
        if late["asked"]:
            late["asked"] = False
            time.sleep(delay)

    threading.Thread(target=carry, args=(client, upstream, ask), daemon=True).start()
    carry(upstream, client, answer)


listener = socket.create_server(("127.0.0.1", listen), backlog=64)
while True:
    connection, _ = listener.accept()
    threading.Thread(target=serve, args=(connection,), daemon=True).start()
