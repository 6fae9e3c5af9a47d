# One file a topic: each starts servers of its own and speaks to them over raw sockets.
server_test(http/traps_test.py)
server_test(http/framing_test.py)
server_test(http/parameters_test.py)
server_test(http/streams_test.py)
server_test(http/concurrency_test.py)
server_test(http/restart_test.py)
server_test(http/shutdown_test.py)
server_test(http/robust_test.py)
