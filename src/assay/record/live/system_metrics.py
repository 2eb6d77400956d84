"""CPU, memory, disk and GPU while a run goes on, sampled by a thread that mostly sleeps."""

import threading
from collections.abc import Callable, Mapping

__all__ = ["SystemMetrics", "sample"]

_EVERY_S = 15.0
_FIRST_S = 5.0  # short runs are not sampled at all
_MEGABYTE = 1 << 20


class SystemMetrics:
    """Samples until `stop`. Where psutil (the extra `system`) is missing, nothing is sampled."""

    def __init__(self, log: Callable[[Mapping[str, float], int], None], *, every_s: float = _EVERY_S) -> None:
        self._log = log
        self._every_s = every_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="assay-system-metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what it has sampled stays."""
        self._stopped.set()

    def _work(self) -> None:
        pause = min(_FIRST_S, self._every_s)
        step = 0
        while not self._stopped.wait(pause):
            pause = self._every_s
            values = sample()
            if not values or self._stopped.is_set():
                return
            self._log(values, step)
            step += 1


def sample() -> dict[str, float]:
    """What the machine does now, under the names MLflow's clients use; empty without psutil."""
    try:
        import psutil
    except ImportError:
        return {}
    memory, disk, network = psutil.virtual_memory(), psutil.disk_usage("/"), psutil.net_io_counters()
    found = {
        "system/cpu_utilization_percentage": float(psutil.cpu_percent()),
        "system/system_memory_usage_megabytes": memory.used / _MEGABYTE,
        "system/system_memory_usage_percentage": float(memory.percent),
        "system/disk_usage_megabytes": disk.used / _MEGABYTE,
        "system/disk_usage_percentage": float(disk.percent),
        "system/process_memory_megabytes": psutil.Process().memory_info().rss / _MEGABYTE,
    }
    if network is not None:
        found["system/network_receive_megabytes"] = network.bytes_recv / _MEGABYTE
        found["system/network_transmit_megabytes"] = network.bytes_sent / _MEGABYTE
    return found | _gpus()


def _gpus() -> dict[str, float]:
    """Utilisation and memory of each GPU through NVML, where its package and a driver are there."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # noqa: BLE001 - no package, no driver, no GPU: nothing to sample
        return {}
    found: dict[str, float] = {}
    for number in range(pynvml.nvmlDeviceGetCount()):
        handle = pynvml.nvmlDeviceGetHandleByIndex(number)
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
        found[f"system/gpu_{number}_utilization_percentage"] = float(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)
        found[f"system/gpu_{number}_memory_usage_megabytes"] = memory.used / _MEGABYTE
        found[f"system/gpu_{number}_memory_usage_percentage"] = 100.0 * memory.used / memory.total
    return found
