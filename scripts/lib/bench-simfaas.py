"""One run of SimFaaS's steady-state example: requests, seconds, share of cold starts, mean servers, mean running."""

import sys
import time

import numpy
from simfaas.ServerlessSimulator import ServerlessSimulator

numpy.random.seed(int(sys.argv[1]))
simulator = ServerlessSimulator(
    arrival_rate=0.9,
    warm_service_rate=1 / 1.991,
    cold_service_rate=1 / 2.244,
    expiration_threshold=600,
    max_time=1e6,
)
begin = time.perf_counter()
simulator.generate_trace(debug_print=False, progress=False)
seconds = time.perf_counter() - begin
print(
    simulator.total_req_count,
    f"{seconds:.6f}",
    f"{simulator.total_cold_count / simulator.total_req_count:.6f}",
    f"{simulator.get_average_server_count():.4f}",
    f"{simulator.get_average_server_running_count():.4f}",
)
