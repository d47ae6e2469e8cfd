from typing import Any

class Device:
    device_kind: str
    platform: str
    id: int

def __getattr__(name: str) -> Any: ...
